"""The gateway's commands, as the measurements use them."""

import json
import pathlib
import subprocess
import tempfile


class Product:
    """Runs one build of the gateway."""

    def __init__(self, program):
        self.program = program

    def eval(self, gold, *options):
        """Returns the report of `gateway eval` with the rules."""
        return json.loads(self._run("eval", "--engine", "rules", "--gold", gold, "--format", "json", *options))

    def extract(self, notes, *options):
        """Reads `{"id", "text"}` objects and returns the answers by id. `options` name another engine than the rules."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "notes.jsonl")
            path.write_text("".join(json.dumps({"id": note["id"], "text": note["text"]}) + "\n" for note in notes))
            lines = self._run("extract", *(options or ("--engine", "rules")), "--from", "jsonl", path)
        answers = (json.loads(line) for line in lines.split("\n") if line)
        answers = {answer["id"]: answer.get("result") or answer for answer in answers}
        missing = [note["id"] for note in notes if note["id"] not in answers]
        assert not missing, f"no answer for {missing}"
        return answers

    def _run(self, *command):
        # A note that fails gives exit code 1 or 3 and a line of its own, which the caller judges.
        return subprocess.run([self.program, *command], capture_output=True, text=True, check=False).stdout
