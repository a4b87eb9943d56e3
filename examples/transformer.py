"""A character-level language model: a transformer, trained on the pages of this project.

    python examples/transformer.py                                # train on README and docs/, then generate text
    python examples/transformer.py --text poems.txt --write 2000  # train on your own texts

For each character, the network predicts the probabilities of the next one. It has three blocks of causal self-attention
and two linear layers. A tenth of the text is held out, to measure the loss on text that was not used for training.
Source: Radford et al., "Language models are unsupervised multitask learners", 2019.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import trange

import tensorgrad as tg
from tensorgrad.nn import Embedding, LayerNorm, Linear, MultiheadAttention, Sequential


class Block:
    """Attention of each position to itself and earlier ones, then two linear layers."""

    def __init__(self, width: int, heads: int, rng: np.random.Generator) -> None:
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)
        self.attention = MultiheadAttention(width, heads, rng, batch_first=True)
        up, down = Linear(width, 4 * width, rng, init="pytorch"), Linear(4 * width, width, rng, init="pytorch")
        self.layers = Sequential([up, tg.relu, down])

    def __call__(self, x: Any) -> Any:
        """From ``(B, T, width)`` to the same shape; attention and layers have residual connections."""
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False, is_causal=True)[0]
        return x + self.layers(self.norm2(x))


class Transformer:
    """Embeddings of characters and positions, blocks, and logits of the next characters."""

    def __init__(self, characters: int, context: int, width: int, depth: int, rng: np.random.Generator) -> None:
        self.characters, self.places = Embedding(characters, width, rng), Embedding(context, width, rng)
        self.blocks = Sequential([*(Block(width, 4, rng) for _ in range(depth)), LayerNorm(width)])
        self.output = Linear(width, characters, rng, init="pytorch")

    def __call__(self, ids: Any) -> Any:
        """From numbers of characters ``(B, T)``, at most ``context`` of them, to logits ``(B, T, characters)``."""
        return self.output(self.blocks(self.characters(ids) + self.places(np.arange(ids.shape[1]))))


def loss(model: Any, pieces: Any) -> Any:
    """The cross-entropy, in nats per character, of pieces of a text ``(B, T + 1)``."""
    return tg.cross_entropy(np.swapaxes(model(pieces[:, :-1]), 1, 2), pieces[:, 1:])


def train(model: Any, ids: Any, steps: int, rng: Any, context: int = 64, lr: float = 1e-2) -> list[float]:
    """Minimize the loss of 16 pieces of the text, at random positions, in each step; return the losses."""
    optimizer = tg.optim.AdamW(tg.nn.parameters(model), betas=(0.9, 0.99), weight_decay=0.1)
    schedule, losses = tg.schedules.one_cycle(1.0, steps, pct_start=0.1), []
    for step in (bar := trange(steps, unit=" steps")):
        value = loss(model, ids[rng.integers(0, len(ids) - context, (16, 1)) + np.arange(context + 1)])
        optimizer.zero_grad()
        value.backward()
        optimizer.lr = lr * schedule(step)
        optimizer.step()
        losses.append(value.item())
        bar.set_postfix_str(f"loss {losses[-1]:.3f}", refresh=False)
    return losses


def main(arguments: list[str] | None = None) -> Any:
    """Train, write, and return the loss on the text that was held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = "README", "CHANGELOG", "CONTRIBUTING", "docs/guide", "docs/how-it-works", "docs/study", "docs/typing"
    pages = [Path(__file__).parents[1] / f"{name}.md" for name in names]
    parser.add_argument("--text", type=Path, nargs="+", default=pages, help="files; default: pages of this project")
    parser.add_argument("--steps", type=int, default=1400, help="updates of the weights; default: %(default)s")
    parser.add_argument("--width", type=int, default=96, help="numbers for each character; default: %(default)s")
    parser.add_argument("--write", type=int, default=500, help="characters to write; default: %(default)s")
    parser.add_argument("--start", default="The ", help="what it writes begins with this; default: %(default)r")
    parser.add_argument("--seed", type=int, default=0, help="of weights, pieces and writing; default: %(default)s")
    o = parser.parse_args(arguments)

    text = " ".join(filter(None, "\n".join(path.read_text(encoding="utf-8") for path in o.text).split(" ")))
    characters, rng = sorted(set(text + o.start)), np.random.default_rng(o.seed)
    learn, held = np.split(np.array([characters.index(c) for c in text]), [len(text) * 9 // 10])
    model = Transformer(len(characters), 64, o.width, 3, rng)
    train(model, learn, o.steps, rng)
    with tg.no_grad():
        reached, written = loss(model, held[: len(held) // 65 * 65].reshape(-1, 65)).item(), o.start
        for _ in range(o.write):
            logits = model(np.array([[characters.index(c) for c in written[-64:]]])).numpy()[0, -1].astype(float)
            written += rng.choice(characters, p=tg.softmax(logits / 0.5))  # below 1: less adventurous
    print(f"{len(text):,} characters; loss on those held out: {reached:.3f} nats per character\n\n{written}")
    return reached


if __name__ == "__main__":
    main()
