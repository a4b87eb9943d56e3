"""A character-level language model: an LSTM, trained on the pages of this project.

    python examples/lstm.py                                # train on README and docs/, then generate text
    python examples/lstm.py --text poems.txt --write 2000  # train on your own texts

The network reads one character after the other, and predicts the probabilities of the next one. A step processes 64
characters at each of 16 positions in the text. The state is passed on from step to step, but gradients are not
(truncated backpropagation through time). A tenth of the text is held out, to measure the loss in nats per character on
text that was not used for training. Sources: Hochreiter and Schmidhuber, "Long short-term memory", 1997; Graves,
"Generating sequences with recurrent neural networks", 2013.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import trange

import tensorgrad as tg
from tensorgrad.nn import LSTM, Embedding, Linear


class Writer:
    """An LSTM between embeddings of characters and logits of the next ones."""

    def __init__(self, characters: int, width: int, layers: int, rng: np.random.Generator) -> None:
        self.characters = Embedding(characters, width, rng)
        self.lstm = LSTM(width, width, rng, num_layers=layers, batch_first=True)
        self.output = Linear(width, characters, rng, init="small")

    def __call__(self, ids: Any, state: Any = None) -> tuple[Any, Any]:
        """From numbers of characters ``(B, T)`` and a state to logits ``(B, T, characters)`` and the new state."""
        x, state = self.lstm(self.characters(ids), state)
        return self.output(x), state


def train(model: Writer, ids: Any, steps: int, rng: np.random.Generator, lr: float = 1e-2) -> list[float]:
    """Minimize the cross-entropy; return the losses."""
    parameters = tg.nn.parameters(model)
    optimizer = tg.optim.AdamW(parameters, weight_decay=0.01)
    schedule = tg.schedules.one_cycle(1.0, steps, pct_start=0.1)
    losses, strips, at = [], ids[: len(ids) // 16 * 16].reshape(16, -1), len(ids)  # to begin with: past the end
    for step in (bar := trange(steps, unit=" steps")):
        if at + 64 >= strips.shape[1]:
            at, state = rng.integers(max(1, strips.shape[1] % 64)), None
        logits, state = model(strips[:, at : at + 64], state)
        loss = tg.cross_entropy(np.swapaxes(logits, 1, 2), strips[:, at + 1 : at + 65])
        at, state = at + 64, tuple(part.detach() for part in state)
        optimizer.zero_grad()
        loss.backward()
        tg.optim.clip_grad_norm(parameters, 1.0)
        optimizer.lr = lr * schedule(step)
        optimizer.step()
        losses.append(loss.item())
        bar.set_postfix_str(f"loss {losses[-1]:.3f}", refresh=False)
    return losses


def main(arguments: list[str] | None = None) -> Any:
    """Train, write, and return the loss on the text that was held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = "README", "CHANGELOG", "CONTRIBUTING", "docs/guide", "docs/how-it-works", "docs/study", "docs/typing"
    pages = [Path(__file__).parents[1] / f"{name}.md" for name in names]
    parser.add_argument("--text", type=Path, nargs="+", default=pages, help="files; default: pages of this project")
    parser.add_argument("--steps", type=int, default=1200, help="updates of the weights; default: %(default)s")
    parser.add_argument("--width", type=int, default=256, help="numbers in the state; default: %(default)s")
    parser.add_argument("--layers", type=int, default=1, help="of the LSTM; default: %(default)s")
    parser.add_argument("--write", type=int, default=500, help="characters to write; default: %(default)s")
    parser.add_argument("--start", default="The ", help="what it writes begins with this; default: %(default)r")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and writing; default: %(default)s")
    o = parser.parse_args(arguments)

    text = " ".join(filter(None, "\n".join(path.read_text(encoding="utf-8") for path in o.text).split(" ")))
    characters, rng = sorted(set(text + o.start)), np.random.default_rng(o.seed)
    learn, held = np.split(np.array([characters.index(c) for c in text]), [len(text) * 9 // 10])
    if len(learn) < 16 * 65:
        parser.error(f"{len(text):,} characters are too few to learn from")
    model = Writer(len(characters), o.width, o.layers, rng)
    train(model, learn, o.steps, rng)
    with tg.no_grad():
        reached = tg.cross_entropy(model(held[None, :-1])[0][0], held[1:]).item()
        written, state, last = o.start, None, o.start
        for _ in range(o.write):
            logits, state = model(np.array([[characters.index(c) for c in last]]), state)
            last = rng.choice(characters, p=tg.softmax(logits.numpy()[0, -1].astype(float) / 0.5))  # less adventurous
            written += last
    print(f"{len(text):,} characters; loss on those held out: {reached:.3f} nats per character\n\n{written}")
    return reached


if __name__ == "__main__":
    main()
