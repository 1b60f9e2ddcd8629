"""Recognition: which emotion a spotted movement shows, and how well any system does, measured honestly.

A system is a short declaration of parts (`systems`), a protocol is an object that splits samples (`protocols`), and
what is reported is pooled over folds (`crossvalidation`, `scores`). Whatever is chosen is chosen inside training
folds (`selection`).
"""
