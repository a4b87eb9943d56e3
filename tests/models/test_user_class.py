"""Classes of users as networks: found, created, and what is said if that fails."""

import re
from pathlib import Path

import numpy as np
import pytest

import models
import tensorgrad as tg
from tensorgrad.errors import ConfigError

NET = """
import dataclasses
import numpy as np
import tensorgrad as tg
import helper_of_this_test


class Net:
    def __init__(self, shape, classes, rng):
        self.conv = tg.nn.Conv2d(shape[0], 4, 3, rng, padding=1)
        self.norm, self.drop = tg.nn.BatchNorm2d(4), tg.nn.Dropout(0.5)
        self.out = tg.nn.Linear(4 * shape[1] * shape[2], classes, rng)

    def __call__(self, x, rng=None):
        h = tg.relu(self.norm(self.conv(x)))
        return self.out(self.drop(np.reshape(h, (len(h), -1)), rng))


@dataclasses.dataclass
class Settings:
    width: int = 3


Alias = Net
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Change to a folder with ``net.py``, whose class can be used."""
    monkeypatch.chdir(tmp_path)
    Path("helper_of_this_test.py").write_text("")
    Path("net.py").write_text(NET)
    return tmp_path


def rng():
    return np.random.default_rng(0)


def created(model="net.py:Net", **changed):
    (entry,) = models.user_class.entries(model)
    return models.build([{**entry, "params": {**entry["params"], **changed}}], (6, 5), 3, rng(), "best.npz")


@pytest.mark.parametrize("model", ["net.py:Net", "./net.py:Net", "net.py:Alias"])
def test_class_is_a_network_for_rows_and_for_images(model, folder):
    (entry,) = models.user_class.entries(model)
    assert Path(entry["params"]["file"]) == folder / "net.py"
    network = created(model)
    x = rng().random((7, 30), np.float32)
    with tg.nn.eval(network):
        logits = network(x).data
        np.testing.assert_array_equal(network(x.reshape(7, 1, 6, 5)).data, logits)
    assert logits.shape == (7, 3)
    names = ["layers.conv.weight", "layers.conv.bias", "layers.norm.weight", "layers.norm.bias", "layers.out.weight",
             "layers.out.bias"]  # fmt: skip
    assert list(tg.nn.parameters(network)) == names
    np.testing.assert_array_equal(created(model).layers.conv.weight.data, network.layers.conv.weight.data)


def test_dropout_and_statistics_are_those_of_training():
    network, x = created(), rng().random((7, 30), np.float32)
    assert network.layers.norm.num_batches_tracked == 0
    tg.nn.train(network)
    first, second = (network(x, np.random.default_rng(seed)).data for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert network.layers.norm.num_batches_tracked == 2


def test_class_in_a_file_with_a_recipe(folder):
    (folder / "nets").mkdir()
    (folder / "net.py").rename(folder / "nets" / "net.py")
    Path("nets/net.yaml").write_text(
        "- {name: r, type: Recipe, params: {epochs: 3}}\n- {name: n, type: Class, params: {file: net.py, class: Net}}\n"
    )
    layers, recipe = models.read("nets/net.yaml")
    assert recipe == {"epochs": 3}
    assert layers[0]["params"] == models.user_class.entries("nets/net.py:Net")[0]["params"]
    assert models.build(layers, (6, 5), 3, rng()).layers.drop.p == 0.5


def test_hash_does_not_depend_on_line_ends():
    before = models.user_class.entries("net.py:Net")[0]["params"]["sha256"]
    Path("net.py").write_bytes(NET.replace("\n", "\r\n").encode())
    assert models.user_class.entries("net.py:Net")[0]["params"]["sha256"] == before
    Path("net.py").write_text(NET + "#")
    assert models.user_class.entries("net.py:Net")[0]["params"]["sha256"] != before


def test_file_that_has_moved_is_found_in_the_current_folder_if_it_is_the_same(folder, monkeypatch):
    layers = models.user_class.entries("net.py:Net")
    (folder / "new").mkdir()
    Path("net.py").rename("new/net.py")
    with pytest.raises(ConfigError, match=r"best.npz: its network is the class Net of .*net\.py, which is not there: "):
        models.build(layers, (6, 5), 3, rng(), "best.npz")
    monkeypatch.chdir(folder / "new")
    assert models.build(layers, (6, 5), 3, rng(), "best.npz").layers.drop.p == 0.5
    Path("net.py").write_text(NET + "\nraise SystemExit\n")
    with pytest.raises(ConfigError, match=r"but .*new.net\.py has changed since"):
        models.build(layers, (6, 5), 3, rng(), "best.npz")


def test_code_on_another_machine_is_not_run(monkeypatch):
    sha256 = models.user_class.digest(Path("net.py"))
    asked = []
    monkeypatch.setattr(Path, "is_file", lambda path: bool(asked.append(str(path))))
    for file in ("//server/share/other.py", r"\\server\share\other.py"):
        with pytest.raises(ConfigError, match="which is not there"):
            models.build([{"name": "n", "type": "Class", "params": {"file": file, "class": "Net",
                                                                    "sha256": sha256}}], (6, 5), 3, rng())  # fmt: skip
    assert not any(path.startswith(("//", r"\\")) for path in asked)


# What follows "class Net:\n" in the file, and what is said.
INIT = (
    "    def __init__(self, shape, classes, rng):\n        self.w = tg.Tensor(np.ones((30, 3)), requires_grad=True)\n"
)
CALL = "    def __call__(self, x):\n        return "
WRONG = {
    "no constructor": ("    pass", "net.py:Net cannot be created: net.py:Net(shape=(1, 6, 5), classes=3, rng) raised "
                                   "TypeError: Net() takes no arguments"),
    "a constructor that fails": ("    def __init__(self, *args):\n        self.x = 1 / 0\n",
                                 "raised ZeroDivisionError: division by zero (line 6 of net.py)"),
    "a constructor that fails without a message": ("    def __init__(self, *args):\n        raise KeyError\n",
                                                   "raised KeyError: no message (line 6 of net.py)"),
    "an exit": ("    def __init__(self, *args):\n        raise SystemExit(3)\n",
                "raised SystemExit: 3 (line 6 of net.py)"),
    "several lines": ("    def __init__(self, *args):\n        raise ValueError('one\\ntwo')\n",
                      "raised ValueError: one two (line 6 of net.py)"),
    "no call": (INIT, "net.py:Net cannot be called: it needs a method __call__(self, x)"),
    "nothing to train": ("    def __init__(self, *args):\n        self.w = 3\n" + CALL + "x", "has nothing to train"),
    "images": (INIT + CALL + "x @ self.w", "failed with 2 images, x of shape (2, 1, 6, 5): "),
    "line of the failure": (INIT + CALL + "x @ self.w", "(line 8 of net.py)"),
    "a wrong shape": (INIT + CALL + "np.reshape(x, (-1, 30)) @ self.w[:, :2]",
                      "net.py:Net returned Tensor of shape (2, 2) for 2 images, x of shape (2, 1, 6, 5): expected "
                      "logits (N, classes), here (2, 3)"),
    "plain logits": (INIT + CALL + "(np.reshape(x, (-1, 30)) @ self.w).data", "returned a ndarray without a gradient"),
    "detached": (INIT + CALL + "(np.reshape(x, (-1, 30)) @ self.w).detach()", "returned a Tensor without a gradient"),
    "an exit in a call": (INIT + CALL + "1 / 0 if x is None else exit(3)", "SystemExit: 3 (line 8 of net.py)"),
    "nothing returned": (INIT + CALL + "None", "returned NoneType of shape () for 2 images"),
    "one for the batch": (INIT + CALL + "np.reshape(x, (-1, 30)).sum(axis=0) @ self.w",
                          "returned Tensor of shape (3,)"),
    "dropout without generator": (INIT + "        self.drop = tg.nn.Dropout(0.5)\n" + CALL
                                  + "self.drop(np.reshape(x, (-1, 30))) @ self.w",
                                  "write __call__(self, x, rng=None), and pass rng to the layers"),
}  # fmt: skip


def test_failure_with_other_images_is_reported_in_one_line():
    call = CALL.replace("return ", "assert len(x) < 3, 'too many'\n        return ")
    Path("net.py").write_text(f"import numpy as np\nimport tensorgrad as tg\n\nclass Net:\n{INIT}{call}"
                              "np.reshape(x, (-1, 30)) @ self.w\n")  # fmt: skip
    network = created()
    assert network(np.zeros((2, 30), np.float32)).shape == (2, 3)
    with pytest.raises(
        ConfigError, match=r"net.py:Net failed with x of shape \(3, 1, 6, 5\): AssertionError: too many"
    ):
        network(np.zeros((3, 30), np.float32))


@pytest.mark.parametrize("case", WRONG)
def test_class_that_is_no_network_is_reported_in_one_line(case):
    body, message = WRONG[case]
    Path("net.py").write_text(f"import numpy as np\nimport tensorgrad as tg\n\nclass Net:\n{body}\n")
    with pytest.raises(ConfigError) as raised:
        created()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


# The content of net.py, the model, and what is said before anything is run.
MISSING = {
    "no file": (NET, "nett.py:Net", r"nett.py:Net: there is no file .*nett\.py"),
    "no class": (NET, "net.py:Nett", r"there is no class 'Nett' in .*net.py \(its classes: Net, Settings\)"),
    "no class at all": ("x = 1", "net.py:Net", r"there is no class 'Net' in .*net.py \(it defines no class\)"),
    "no name": (NET, "net.py:", "name the class as well, as in net.py:Net"),
    "only the file": (NET, "net.py", "name the class as well, as in net.py:Net"),
    "no Python": ("class Net\n", "net.py:Net", r"net.py is not Python: SyntaxError: .*\(line 1 of net.py\)"),
    "not UTF-8": (b"\xff", "net.py:Net", "cannot read .*net.py"),
    "NUL": (b"\0", "net.py:Net", "net.py is not Python"),
    "a failing module": ("import no_such_module\nclass Net: pass", "net.py:Net",
                         r"net.py cannot be run: ModuleNotFoundError: .*\(line 1 of net.py\)"),
    "an exit": ("raise SystemExit(3)\nclass Net: pass", "net.py:Net",
                r"net.py cannot be run: SystemExit: 3 \(line 1 of net.py\)"),
    "not a class": ("Net = 3", "net.py:Net", "Net of .*net.py is not a class, but int"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSING)
def test_class_that_cannot_be_found_is_reported(case):
    content, model, message = MISSING[case]
    Path("net.py").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=message) as raised:
        created(model)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"file": "net.py"}, "class is missing"),
     ({"file": "net.py", "class": 3}, "class must be a text, got 3"),
     ({"file": "net.py", "class": "Net", "width": 3}, "unknown key 'width'; valid: file, class")],
)  # fmt: skip
def test_malformed_entry_is_refused(params, message):
    Path("n.yaml").write_text(f"- {{name: n, type: Class, params: {params}}}")
    with pytest.raises(ConfigError, match=re.escape(f"n.yaml: 'n': {message}")):
        models.read("n.yaml")
    with pytest.raises(ConfigError, match=r"^the network: .*(class|sha256|width)"):
        models.build([{"name": "n", "type": "Class", "params": {**params, "sha256": 1}}], (6, 5), 3, rng())


def test_class_stands_alone():
    Path("n.yaml").write_text("- {name: n, type: Class, params: {file: net.py, class: Net}}\n- {name: r, type: ReLU}")
    with pytest.raises(ConfigError, match="a Class is a whole network, so no other layer can stand beside it"):
        models.read("n.yaml")
