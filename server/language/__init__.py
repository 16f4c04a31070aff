"""The command and expression language (design section 4): one grammar for everybody who speaks it.

Buttons, palette, lessons, scenario files, permalinks and the headless runner all send lines that
`parse` reads and `print_command` writes. Inside, in the order a line meets them: `cursor` splits it,
`grammar` has the table of commands, `slots` reads what is filled in, `lines` ties them together;
`expressions` reads what follows `expect`, `evaluation` answers it, `vocabulary` lists what it may name.

>>> parse("write x 1 by 2")
Write(key='x', value='1', client='2', to=None)
>>> print_command(parse("LATENCY a->b 0.4s  # slow"))
'latency A -> B 400ms'
>>> parse("kill leeder")
Traceback (most recent call last):
server.language.words.LanguageError: 'leeder' is not a node: ... Did you mean leader?
"""

from server.language.evaluation import Expression, Watch
from server.language.expressions import compile_condition, compile_expression
from server.language.grammar import Directive, Expect, Wait, WaitUntil, grammar
from server.language.help import help_text, main
from server.language.lines import Completion, complete, parse, print_command
from server.language.matches import Match, compile_match
from server.language.slots import print_value, read_setting
from server.language.words import LanguageError, read_time, spoken_time

__all__ = [
    "Completion",
    "Directive",
    "Expect",
    "Expression",
    "LanguageError",
    "Match",
    "Wait",
    "WaitUntil",
    "Watch",
    "compile_condition",
    "compile_expression",
    "compile_match",
    "complete",
    "grammar",
    "help_text",
    "main",
    "parse",
    "print_command",
    "print_value",
    "read_setting",
    "read_time",
    "spoken_time",
]
