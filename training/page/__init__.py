"""A page in HTML on which one draws for a trained network, and sees what it computes: ``evaluate.py --page FILE``.

`description` turns the network into layers that the page can run, `content` adds what the page shows besides, and
`page` puts this, the style and the scripts into one file, which needs no other.
"""

from training.page.content import content
from training.page.description import LAYERS_OF_PAGES, describe
from training.page.document import page

__all__ = ["LAYERS_OF_PAGES", "content", "describe", "page"]
