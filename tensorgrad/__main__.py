"""``python -m tensorgrad``: the version, and pointers to the documentation and the programs."""

import sys

import tensorgrad

TEXT = f"""tensorgrad {tensorgrad.__version__}: reverse-mode automatic differentiation on NumPy

In Python, after `import tensorgrad as tg`:
  help(tg.Tensor)              arrays that record how they were computed
  help(tg.grad)                gradients; also tg.vjp, jvp, jacobian, hessian, hvp
  help(tg.nn), help(tg.optim)  layers and optimizers; also tg.data, tg.schedules, tg.draw, tg.save, tg.load

In a clone of the repository:
  python train.py --help       train a network on handwritten digits
  python evaluate.py --help    measure a trained network, or classify pictures of your own handwriting
  python sweep.py --help       train many networks, with several values of any options
  docs/guide.md                the guide
"""

if __name__ == "__main__":
    sys.stdout.write(TEXT)
