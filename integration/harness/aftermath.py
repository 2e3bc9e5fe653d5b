"""What has to hold when one transaction was struck, and all processes run again, or are starting."""

import dataclasses
import time

from . import bank, waiting
from .errors import HarnessError

SETTLE_SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Aftermath:
    """What was found of one transaction."""

    problems: list  # sentences
    ages: list  # of the branches that were in doubt at the stroke or after it, in seconds


def of(cluster, meter, transfer, struck):
    """The Aftermath of a transfer whose outcome is told, struck at that time.time().

    Returns when every process serves and nothing is prepared, which the in_doubt.Meter has seen.
    """
    for service in (*cluster.coordinators, *cluster.agents):
        service.wait_ready()
    transfer.repeat_everywhere(cluster.coordinators)
    wait_until_nothing_is_prepared(cluster, meter, transfer)
    problems = transfer.problems([bank.receipts(each) for each in cluster.servers])
    return Aftermath(problems, [branch.age(branch.ended) for branch in meter.branches()
                                if transfer.id in branch.gid and branch.ended > struck])


def wait_until_nothing_is_prepared(cluster, meter, transfer):
    """Also the meter has seen that."""
    begun = time.time()
    try:
        waiting.until(lambda: meter.is_settled(time.time(), begun), SETTLE_SECONDS,
                      f"the branches of {transfer.name} to be settled")
    except waiting.WaitedInVain as error:
        raise HarnessError(f"{error} {cluster.prepared_transactions()}") from None


def at_the_end(cluster, money, transfers):
    """The Books, and what is wrong, as sentences, when each answer is given once more by everyone."""
    for transfer in transfers:
        transfer.repeat(cluster.coordinators)
        transfer.repeat_everywhere(cluster.coordinators)
    books = money.close()
    receipts = [bank.receipts(each) for each in cluster.servers]
    return books, [problem for transfer in transfers for problem in transfer.problems(receipts)]
