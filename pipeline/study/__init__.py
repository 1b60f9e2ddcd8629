"""Deception and concealment studies: audit first, then effects, then prediction of new people.

`reading` and `sessions` give a `StudyTable`; `design` says who has which labels; `audit`, `effects` and `prediction`
work on both; `analysis` strings them together; `report` writes the page.
"""
