"""Train a network on handwritten digits.

    python train.py --hidden 400                     # two layers on MNIST: 99.0 % in half a minute
    python train.py --model models/record-400.yaml   # a network and a recipe from a file: 99.3 % in a few minutes
    python train.py --resume runs/mnist-400-seed0    # continue an interrupted run
    mpirun -n 2 python train.py --hidden 400         # in several processes, each with a part of every batch
    python train.py --help                           # all options

To be read from top to bottom: the loss and the update are in `train`, the rest of a run is in `start`. Options, images
and run folders are handled in `training/`; networks are in `models/`, and the engine is in `tensorgrad/`.
"""

if __name__ == "__main__":  # before other imports, so that Ctrl-C ends the program without a traceback
    import _signal as signals  # type: ignore[import-not-found]  # built in: its import reads no file

    if signals.getsignal(signals.SIGINT) is signals.default_int_handler:
        signals.signal(signals.SIGINT, signals.SIG_DFL)
    from training import startup

    startup.prepare("train.py")

import contextlib
import math
import shlex
import signal
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

import models
import tensorgrad as tg
from tensorgrad.data import Dataset
from training import adversarial, advice, augmentation, images, options, parallel, recipe, teachers, threads, trials
from training.event_log import check_installed, event_log
from training.folders import locked
from training.program import run_program
from training.progress import Display
from training.run import Run, finite, folder_of_run, load_weights, new_folder, restore, resume
from training.run_pictures import draw
from training.signals import exit_code
from training.state import Progress, Row

Array = Any  # an ndarray
BUSY = "another program is training this run"


def train(o: SimpleNamespace, data: Dataset, network: models.Network, rng: np.random.Generator, run: Run,
          checkpoint: dict[str, Any] | None = None, processes: parallel.OneProcess = parallel.ONE,
          ) -> tuple[str, Progress]:  # fmt: skip
    """Train ``network`` until the last epoch, Ctrl-C, SIGTERM, or a loss that is not finite.

    ``rng`` draws dropout and shifts; ``checkpoint`` is the state to resume from; of several ``processes``, each
    computes a part of every batch. Returns the status, which is ``"finished"``, ``"diverged"``, ``"interrupted"``
    (Ctrl-C) or ``"terminated"`` (SIGTERM), and the progress. Everything else is in the folder of the run.
    """
    # The images: part of the training set is held out for validation; the test set is not used.
    train_on, validate_on = images.hold_out(data, o.validation)
    x, y = data.train_images[train_on], data.train_labels[train_on]  # (N, H, W) uint8, (N,)
    x_val, y_val = data.train_images[validate_on], data.train_labels[validate_on]
    scale = images.pixel_scale(o.pixels, data.brightest)

    # The state to start from; the update of the weights, compiled where that is exact; the schedule of the rate.
    tg.nn.train(network)
    optimizer, average, gradient, step = prepare(o, network)
    if checkpoint is None:
        p = Progress(random_state=rng.bit_generator.state)
        run.save("last.npz", network, p, optimizer, average)
    else:
        p = restore(checkpoint, network, optimizer, average, rng)
    is_compiled = bool(o.decided.get("compile")) and not o.eager
    update = processes.update(network, gradient, step, is_compiled, o.seed, p.update)
    plateau = recipe.plateau(o, p.plateau)
    schedule = recipe.schedule(o, o.epochs * math.ceil(len(y) / o.batch_size), plateau)

    # Teachers, if any, are trained first; then each batch of inputs changes the weights.
    if number := teachers.train_and_label(o, data, run.folder, p.epoch):
        return status_of(number), p
    earlier_seconds, start_time = p.seconds, time.monotonic()
    done = p.epoch * len(y) + min(p.batch * o.batch_size, len(y))
    with processes.interrupt() as interrupt, Display(o.epochs, len(y), done, o.quiet, o.patience) as display, \
            threads.adjustable() as use_threads, event_log(run.folder, o, p.history) as log, \
            inputs_of(o, data, x, y, scale, p, run, processes) as source:  # fmt: skip
        display.best(p.best_epoch, p.best_accuracy, waited(p))
        while p.epoch < o.epochs and not (o.patience and waited(p) >= o.patience):
            if p.batch == 0:
                measurement = time.monotonic()
                p.threads = threads.for_epoch(
                    o, p.history, lambda: trials.fastest_threads(o, data, network, prepare, is_compiled)
                )
                start_time += time.monotonic() - measurement
            use_threads(p.threads or threads.available())

            # Indices (B,), inputs (B, H * W) float32, and labels (B,) or, from teachers, probabilities (B, C).
            for batch, inputs, targets in source.epoch(p.epoch, p.batch, rng):
                size = min(o.batch_size, len(y) - p.batch * o.batch_size)  # over all processes
                optimizer.lr = o.lr * schedule(p.update)
                loss, loss_sum, right = update(inputs, targets, y[batch], size, rng)
                if not math.isfinite(loss):
                    return "diverged", p

                p.batch += 1
                p.update += 1
                p.loss_sum += loss_sum
                p.right += right
                display.batch(p.epoch + 1, size, p.loss_sum / min(p.batch * o.batch_size, len(y)))
                if interrupt and finite(network):
                    p.seconds = earlier_seconds + time.monotonic() - start_time
                    p.random_state = rng.bit_generator.state
                    run.save("last.npz", network, p, optimizer, average)
                    return status_of(interrupt.signal), p

            raw_accuracy = processes.score(network, x_val, y_val, scale)[1] if average else math.nan
            with average.average_parameters() if average else contextlib.nullcontext():
                val_loss, val_accuracy = processes.score(network, x_val, y_val, scale)
                if (len(y_val) and not math.isfinite(val_loss)) or not finite(network):
                    return "diverged", p
                p.seconds = earlier_seconds + time.monotonic() - start_time
                row: Row = {
                    "epoch": p.epoch + 1, "updates": p.update,
                    "train_loss": p.loss_sum / len(y), "train_accuracy": p.right / len(y),
                    "val_loss": val_loss, "val_accuracy": val_accuracy, "test_accuracy": math.nan,
                    "lr": o.lr * schedule(p.update - 1), "seconds": p.seconds,
                    "threads": p.threads, "raw_val_accuracy": raw_accuracy,
                }  # fmt: skip
                if o.watch_test:
                    row["test_accuracy"] = processes.score(network, data.test_images, data.test_labels, scale)[1]
                p.history.append(row)
                p.epoch, p.batch, p.loss_sum, p.right = p.epoch + 1, 0, 0.0, 0
                p.random_state = rng.bit_generator.state
                if plateau:
                    plateau.step(val_loss)
                    p.plateau = plateau.state_dict()
                if not len(y_val) or (val_accuracy, -val_loss) > (p.best_accuracy, -p.best_loss):
                    p.best_epoch, p.best_accuracy, p.best_loss = p.epoch, val_accuracy, val_loss
                    run.save("best.npz", network, p)
            run.write_metrics(p)
            run.save("last.npz", network, p, optimizer, average)  # a run killed before this repeats the epoch
            log(row)
            display.best(p.best_epoch, p.best_accuracy, waited(p))
            display.epoch(row)
    return "finished", p


def prepare(o: SimpleNamespace, network: models.Network) -> tuple[
        tg.optim.Optimizer, tg.optim.EMA | None, Callable[..., tuple[Array, Array, Array]], Callable[[], None]
    ]:  # fmt: skip
    """The optimizer of a network, the average of its weights or None, and the two parts of an update of the weights."""
    parameters = tg.nn.parameters(network)
    weights = [p for p in parameters.values() if p.ndim >= 2 and p.requires_grad]  # subject to penalties
    optimizer = recipe.optimizer(o, parameters)
    average = tg.optim.EMA(parameters, o.ema) if o.ema else None

    def losses_of(inputs: Array, targets: Array, rng: np.random.Generator) -> tuple[Any, Any]:
        """The loss of each image (B,), and the logits (B, C)."""
        logits = network(inputs, rng)
        scores = logits / o.temperature if o.teachers else logits
        return tg.cross_entropy(scores, targets, reduction="none", label_smoothing=o.label_smoothing), logits

    def gradient(inputs: Array, targets: Array, rng: np.random.Generator, factor: Array | float = 1.0,
                 ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Compute it; return the loss, the loss of each image (B,), and the logits (B, C).

        Several processes multiply a sum of losses by a ``factor``, since they average their gradients.
        """
        if o.adversarial:
            inputs = adversarial.moved(inputs, lambda x: losses_of(x, targets, rng)[0], o.adversarial)
        losses, logits = losses_of(inputs, targets, rng)
        loss = np.mean(losses) if o.loss == "mean" else np.sum(losses) * factor
        if o.l2:
            loss = loss + o.l2 / 2 * sum(np.vdot(w, w) for w in weights)  # type: ignore[call-overload]

        optimizer.zero_grad()
        loss.backward()
        return loss.data, losses.data, logits.data

    def step() -> None:
        """Change the weights."""
        if o.clip:
            tg.optim.clip_grad_norm(parameters, o.clip)
        optimizer.step()
        if o.shrink:  # the report's rule: not a term of the loss, and not scaled by the learning rate
            with tg.no_grad():
                for w in weights:
                    w *= 1 - o.shrink
        if average:
            average.update()

    return optimizer, average, gradient, step


def inputs_of(o: SimpleNamespace, data: Dataset, x: Array, y: Array, scale: float, p: Progress, run: Run,
              processes: parallel.OneProcess) -> augmentation.Inputs | teachers.Inputs:  # fmt: skip
    """The inputs and targets of a run from its present epoch and batch on, which this process computes."""
    if o.teachers:
        return teachers.Inputs(o, data, x, scale, run.folder, p.epoch)
    return augmentation.Inputs(o, x, y, scale, p.epoch, p.batch, processes.part)


def status_of(number: int | None) -> str:
    """The status of a run that a signal has stopped."""
    return "terminated" if number == signal.SIGTERM else "interrupted"


def waited(p: Progress) -> int:
    """The number of epochs since the best one, or since the run was continued with more epochs."""
    return p.epoch - max(p.best_epoch, p.extended)


def start(given: dict[str, Any], processes: parallel.OneProcess = parallel.ONE) -> int:
    """Run the training from the options to the pictures; return the exit code of the program."""
    quiet, checkpoint, result = given.get("quiet", False), None, None
    with contextlib.ExitStack() as locks:
        if "resume" in given:
            run, checkpoint, result = processes.first(lambda: reopen(given, locks))
            o = run.options
            processes.check(o)
            data = processes.in_turn(lambda: tg.data.load(o.dataset, o.data, quiet=quiet))
            run.check_data(images.about(data))
            if result is not None:
                again = "drawing its pictures again" if result["status"] == "finished" else "there is nothing to resume"
                print(f"{run.folder} has {result['status']}: {again}")
                if result["status"] != "finished":
                    return 0
        else:
            data = processes.in_turn(lambda: tg.data.load(given.get("dataset"), given.get("data"), quiet=quiet))
            o = options.resolve(given, data.name, data.classes)
            images.hold_out(data, o.validation)
            teachers.check(o, data)

        check_installed(o)
        rng = np.random.default_rng(o.seed)
        network = models.build(o.layers, data.shape, data.classes, rng, o.model or "the network")
        recipe.freeze(network, o.freeze)
        if checkpoint is None:
            load_weights(network, getattr(o, "from"))
            trials.check_updates(o, data, network, prepare)
        if checkpoint is None or (result is None and not o.eager and "compile" not in o.decided):
            o.decided = processes.decide(lambda threads: trials.decide(o, data, network, prepare, threads))
        if checkpoint is None:
            processes.check(o)
            run = processes.first(lambda: create(o, data, locks))
        if not quiet and result is None:
            print(f"{data}{trials.describe(o, checkpoint['progress'].threads if checkpoint else 0)}")
            print(f"\n{tg.nn.summary(network, (1, data.features))}\n\nthe folder of the run is {run.folder}")
        run = processes.view(run)
        run.apply_changes()
        return to_the_end(data, network, rng, run, checkpoint, processes, is_new=result is None)


def reopen(given: dict[str, Any], locks: contextlib.ExitStack) -> tuple[Run, dict[str, Any], dict[str, Any] | None]:
    """Lock the folder of ``--resume``; return what `resume` does."""
    locks.enter_context(locked(folder_of_run(given["resume"]), BUSY))  # before the checkpoint is read
    return resume(given)


def create(o: SimpleNamespace, data: Dataset, locks: contextlib.ExitStack) -> Run:
    """Create and lock the folder of a new run."""
    folder = new_folder(o)
    locks.enter_context(locked(folder, BUSY))
    return Run.create(folder, o, images.about(data))


def to_the_end(data: Dataset, network: models.Network, rng: np.random.Generator, run: Run,
               checkpoint: dict[str, Any] | None, processes: parallel.OneProcess, *, is_new: bool) -> int:  # fmt: skip
    """Train, and report how that ended; ``is_new`` is false if the result is known. Returns the exit code."""
    try:
        status, p = train(run.options, data, network, rng, run, checkpoint, processes)
        if processes.rank:
            return 0  # the first process does the rest
        if status == "finished":
            return finish(run, network, data, p, is_new=is_new)
        if status == "diverged":
            return report_divergence(run, p)
        print(f"{status} in epoch {p.epoch + 1} after {p.update} updates, and saved; to continue:")
        print(resume_command(run), flush=True)
        draw(run, network, data, p, "validation")
        return exit_code(signal.SIGTERM if status == "terminated" else signal.SIGINT)
    except KeyboardInterrupt:  # a second one, or one outside of `train`
        if (run.folder / "last.npz").exists():
            print(f"to continue from the last checkpoint:\n{resume_command(run)}", flush=True)
        raise


def finish(run: Run, network: models.Network, data: Dataset, p: Progress, *, is_new: bool) -> int:
    """Evaluate the best weights on the test images, write the result if it is new, print it, and draw the pictures."""
    o = run.options
    tg.nn.load_state_dict(network, run.weights("best.npz"))
    scale = images.pixel_scale(o.pixels, data.brightest)
    test_loss, test_accuracy = images.score(network, data.test_images, data.test_labels, scale)
    if is_new:  # before anything is printed or drawn, which can fail
        run.write_result({
            "status": "finished", "test_accuracy": test_accuracy, "test_loss": test_loss, "best_epoch": p.best_epoch,
            "val_accuracy": p.best_accuracy, "epochs": p.epoch, "updates": p.update, "seconds": p.seconds,
        })  # fmt: skip
    why = "the best on the validation images" if o.validation else "the last"
    print(f"test accuracy {test_accuracy:.2%}, with the weights of epoch {p.best_epoch}, {why}", flush=True)
    if reason := advice.explain(o, data, network, test_accuracy, p.history):
        sys.stderr.write(f"train.py: {reason}\n")
    return 0 if draw(run, network, data, p, "test") else 1


def report_divergence(run: Run, p: Progress) -> int:
    """Write the result of a run whose loss is no longer finite, and explain it on standard error."""
    o = run.options
    run.write_result({"status": "diverged", "updates": p.update, "best_epoch": p.best_epoch, "seconds": p.seconds})
    hint = "raw pixels, 0 to 255, need a rate near 0.0001" if o.pixels == "raw" else f"try --lr {o.lr / 10:g}"
    cause = f"the learning rate {o.lr:g} is probably too high ({hint})"
    if advice.moves_too_far(o):
        cause = f"--adversarial {o.adversarial:g} moves the images too far"
    sys.stderr.write(
        f"train.py: the loss is no longer finite after {p.update} updates: {cause}. "
        f"{run.folder}/last.npz contains the weights after epoch {p.epoch}.\n"
    )
    return 1


def resume_command(run: Run) -> str:
    """The command that continues a run."""
    return f"  python train.py --resume {shlex.quote(str(run.folder))}"


def main(arguments: list[str] | None = None) -> int:
    """Run the program, by default with the arguments of the command line; return its exit code."""
    return run_program("train.py", lambda: parallel.run(lambda processes: start(options.parse(arguments), processes)))


if __name__ == "__main__":
    sys.exit(main())
