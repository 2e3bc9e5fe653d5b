"""Calls the test server as any Python program would; exits 0 when every answer is right."""

import sys

from assent_wire.common.constants import PROTOCOL_VERSION
from assent_wire.common.ttypes import AssentError, ErrorCode
from assent_wire.transaction import Coordinator
from assent_wire.transaction.ttypes import HelloRequest, StatusRequest
from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport


def check(port, protocol):
    transport = TFramedTransport(TSocket("127.0.0.1", port))
    client = Coordinator.Client(protocol(transport))
    transport.open()
    for cluster in ("shop", "übung", ""):
        reply = client.hello(HelloRequest(protocol_version=PROTOCOL_VERSION, cluster=cluster))
        assert reply.cluster == cluster, reply
        assert reply.protocol_version == PROTOCOL_VERSION, reply
    try:
        client.status(StatusRequest(protocol_version=PROTOCOL_VERSION, transaction="any"))
        raise AssertionError("no exception came")
    except AssentError as error:
        assert error.code == ErrorCode.SQL, error
        assert error.sql.sqlstate == "23505", error
        assert error.participant == "orders", error
        assert not error.retryable, error
    transport.close()


for each in (TBinaryProtocol, TBinaryProtocolAccelerated, TCompactProtocol):
    check(int(sys.argv[1]), each)
