"""CPU time of our programs over a run, although some of them are killed and begin anew."""

from . import processes


class Meter:
    """Counts from its construction on. life_ends() must precede each kill."""

    def __init__(self, services):
        self._services = services
        self._at_start = {service.name: _now(service) for service in services}
        self._earlier_lives = {service.name: 0.0 for service in services}

    def life_ends(self, service):
        """Keeps what the present life of a service has used; its next life starts from 0."""
        if service.name in self._at_start:
            self._earlier_lives[service.name] = self._used(service)
            self._at_start[service.name] = 0.0

    def seconds(self):
        """What each service has used, by its name."""
        return {service.name: self._used(service) for service in self._services}

    def _used(self, service):
        earlier = self._earlier_lives[service.name]
        return earlier + _now(service) - self._at_start[service.name]


def _now(service):
    return processes.cpu_seconds(service.identity)
