"""Guided lessons and interview questions: read from files, judged in live runs, checked by playing them.

In the order a lesson meets them: `fields`, `markdown`, `blocks` and `loader` read a file into `records`;
`library` keeps a folder of them; `opening` turns a step into the start of a run; `clauses` and `measures`
watch that run; `session` is one learner's progress, `play` the run a room plays, `requests` what a page may
ask. `checking` and `rules` hold every file to what it claims. `documents` is what the pages are given.
"""
