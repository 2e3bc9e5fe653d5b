"""The bank of the demo: the table `accounts` on every server, and the sum of all balances."""

ACCOUNTS = 10_000
BALANCE = 1_000


def open_accounts(server, accounts=ACCOUNTS):
    """Creates accounts 1 to `accounts` on a server, each with BALANCE."""
    server.execute(f"""
        CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
        INSERT INTO accounts SELECT id, {BALANCE} FROM generate_series(1, {accounts}) AS id;
        VACUUM ANALYZE accounts;""")


def balances(servers):
    """The sum of the balances on each server, in their order."""
    return [int(server.value("SELECT sum(balance) FROM accounts")) for server in servers]


def open_receipts(server):
    """Creates the table in which each branch writes the name of its transfer."""
    server.execute("CREATE TABLE receipts (transfer text NOT NULL)")


def receipts(server):
    """The names of the transfers that a server holds; one stands twice if it was done twice."""
    return server.execute("SELECT transfer FROM receipts").splitlines()
