"""Where the time goes after a crash: when each process has logged that it reached a stage."""

import calendar
import re
import time

LINE = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})Z +\w+ +assent-\w+ (.*)$")


def first_line(service, text):
    """When the present life of a service first logged a message that begins so, in time.time().

    None: it has not.
    """
    for line in service.new_log_text().splitlines():
        found = LINE.match(line)
        if found and found[3].startswith(text):
            whole = calendar.timegm(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S"))
            return whole + int(found[2]) / 1000
    return None


def last(services, text):
    """When the last of them first logged it; None as long as one has not."""
    moments = [first_line(service, text) for service in services]
    return None if None in moments else max(moments, default=None)


def earliest(services, text):
    """When the first of them logged it; None: nobody has."""
    return min((moment for service in services
                if (moment := first_line(service, text)) is not None), default=None)


def told(up, stages):
    """The stages, (name, moment) each, as one text; in milliseconds after `up`."""
    return ", ".join(f"{name} {_after(up, moment)}" for name, moment in stages)


def _after(up, moment):
    return "never" if moment is None else f"{(moment - up) * 1000:+,.0f} ms"
