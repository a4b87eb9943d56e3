"""Tests of the page to draw on, in a browser."""
