"""How long things take in the emulator, in seconds. A test changes them by POST /_emulator/set."""

import threading
import time

VALUES = {
    "boot": 0.2,  # pending -> running
    "checks": 0.2,  # running -> status checks passed
    "agent": 0.2,  # running -> the SSM agent is online
    "stop": 0.2,  # stopping -> stopped
    "delivery": 0.05,  # command sent -> its script starts
    "race": 0.1,  # command sent -> GetCommandInvocation knows of it
    "impaired": False,  # the status checks fail; a number: for so many seconds after a start
    "swallow": 0,  # so many commands are taken, said to be InProgress, and never run
    "no_agent": False,  # the agent never comes online
    "statuses": [],  # what GetCommandInvocation says first, one a call: "Delayed", or a word of the future
}


def later(name, action):
    """Does something after the time that has this name."""
    timer = threading.Timer(VALUES[name], action)
    timer.daemon = True
    timer.start()


def passed(since, name):
    """Is it so long ago?"""
    return since is not None and time.monotonic() - since >= VALUES[name]
