#!/usr/bin/env python
"""Stands in for the command `vllm`: parses `vllm serve` flags with vLLM's own parser and starts nothing."""

import sys

from vllm.entrypoints.openai.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser

command, model, *flags = sys.argv[1:]
assert command == "serve", command
arguments = make_arg_parser(FlexibleArgumentParser()).parse_args([model, *flags])
validate_parsed_serve_args(arguments)
print(arguments)
