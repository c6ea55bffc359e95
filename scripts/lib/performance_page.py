"""Puts measured tables into docs/performance.md, between its two markers, with what they were measured on."""

import os
import platform
import re
import subprocess
import sys
from datetime import date

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "not found"


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        names = re.findall(r"^model name\s*:\s*(.+)$", lines.read(), re.MULTILINE)
    return names[0] if names else platform.machine()


def main():
    page, tables = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    with open(tables, encoding="utf-8") as file:
        measured = file.read().strip()
    machine = (
        f"Measured on {date.today().isoformat()}: {os.cpu_count()} cores ({processor()}) shared by the database, the "
        f"engine and the benchmark; Linux {platform.release()}; {first_line('psql', '--version')}; "
        f"{first_line('rustc', '--version')}."
    )
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    with open(page, "w", encoding="utf-8") as file:
        file.write(f"{text[:begin]}\n\n{machine}\n\n{measured}\n\n{text[end:]}")


main()
