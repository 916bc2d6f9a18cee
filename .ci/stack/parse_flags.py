"""Parses `vllm serve` command lines with vLLM's own parser and starts nothing.

    parse_flags.py FILE...    each holds the words of a command line, a NUL behind each; `refused` in the name of a
                              file says that the parser must not take it
"""

import pathlib
import sys

from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = make_arg_parser(FlexibleArgumentParser())
for path in map(pathlib.Path, sys.argv[1:]):
    command, *words = path.read_text().split("\0")[:-1]
    assert command == "serve", command
    try:
        validate_parsed_serve_args(parser.parse_args(words))
        taken = True
    except SystemExit:
        taken = False
    if taken == ("refused" in path.name):
        sys.exit(f"{path.name}: vLLM {'takes' if taken else 'refuses'} {' '.join(words)}")
