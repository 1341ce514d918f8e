"""Start the workshop with nothing but Python: `python3 -m workshop COMMAND`.

Every Python 3 from 3.6 on must be able to read this file, so that an old one answers with a sentence instead of a
SyntaxError.
"""

import json
import sys

OLDEST_PYTHON = (3, 11)


def too_old(version: "tuple[int, ...]", arguments: "list[str]") -> int:
    """Refuse a Python older than 3.11, as JSON on stdout under `--json`, else on stderr; return the exit code."""
    message = f"The workshop needs Python 3.11 or newer, and this is Python {version[0]}.{version[1]}."
    next_step = "Install a newer Python and name it in the command, for example: python3.12 -m workshop up"
    if "--json" in arguments:
        sys.stdout.write(
            json.dumps({"error": {"type": "PythonTooOldError", "message": message, "next_step": next_step}}) + "\n"
        )
    else:
        sys.stderr.write(f"{message}\n{next_step}\n")
    return 1


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(too_old(sys.version_info[:2], sys.argv[1:]))
    from workshop import start

    sys.exit(start.main(sys.argv[1:]))
