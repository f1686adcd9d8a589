"""Damaged messages of gRPC: each is answered or refused, never an error of the server, no value comes back, and no
message is kept.
"""

import random

from google.protobuf.message import DecodeError

from linplane_server.interfaces.grpc.inference_pb2 import ModelInferRequest
from support import sized
from unit.server.builders import Client, document, serving
from unit.server.damage import CANARY, NUMBER, damage_bytes, in_flat_memory
from unit.server.oip import tensor
from unit.server.oip_grpc import CONTENTS, infer, message_of

IDENTITY = {"id": "i-1", "parameters": {"key": CANARY, "other": CANARY, "binary_data_output": True}}
BODIES = [
    {**IDENTITY, "inputs": [tensor([[NUMBER, 2.0], [3.0, 4.0]], [2, 2])]},
    {"inputs": [tensor([NUMBER], [1], "area"), tensor([1], [1, 1], "rooms", "INT8")]},
    {"inputs": [tensor([1, 2], [2], "area", "INT64"), tensor([4.0, 5.0], [2], "rooms", "FP32")]},
    {"inputs": [tensor([True, False], [1, 2], datatype="BOOL")], "outputs": [{"name": "prediction"}]},
]
MESSAGES = [message_of(body, raw) for body in BODIES for raw in (False, True)]
WORDS = [*CONTENTS, "FP16", "BYTES", "", "area", "rooms", "prediction", CANARY]


def damage(message: ModelInferRequest, chance: random.Random) -> None:
    """Changes one field."""
    one = chance.choice(message.inputs) if message.inputs else message.inputs.add()
    action = chance.randrange(8)
    if action == 0:
        one.datatype = chance.choice(WORDS)
    elif action == 1:
        one.name = chance.choice(WORDS)
    elif action == 2:
        one.shape[:] = [chance.choice([0, 1, 2, -1, 1 << 62]) for _ in range(chance.randrange(4))]
    elif action == 3:
        one.contents.fp64_contents.extend([chance.choice([NUMBER, float("nan"), float("inf"), 1e308])])
    elif action == 4:
        one.contents.int_contents.append(chance.choice([0, 300, -1]))
    elif action == 5:
        message.raw_input_contents.append(chance.randbytes(chance.choice([0, 1, 16])))
    elif action == 6:
        message.inputs.add().CopyFrom(one)
    else:
        message.parameters["key"].int64_param = 7


@sized("count", short=10_000, full=100_000)
async def test_damaged_message_is_answered_without_an_error_of_the_server(count: int) -> None:
    versions = {"v1": {"area": 2.0, "rooms": 10.0}, "v2": {"area": 3.0, "rooms": 1.0}}
    client = Client(await serving(document(versions=versions, split=[("v2", 5000)])))
    chance = random.Random(count)
    seen: dict[str, int] = {}
    for _ in in_flat_memory(count):
        message = ModelInferRequest()
        message.CopyFrom(chance.choice(MESSAGES))
        for _ in range(chance.randrange(1, 3)):
            damage(message, chance)
        if chance.randrange(3) == 0:
            try:
                message = ModelInferRequest.FromString(damage_bytes(message.SerializeToString(), chance))
            except DecodeError:
                continue  # `calls` refuses it
        message.model_name = "homes"
        message.model_version = ""
        answer = infer(client, message)
        code, text = answer if isinstance(answer, tuple) else ("OK", "")
        seen[code] = seen.get(code, 0) + 1
        assert code in {"OK", "INVALID_ARGUMENT"}, (message, text)
        text = text.replace(f"{CANARY} is not a feature", "")  # the one text that a client reads back
        assert CANARY not in text, message
        assert str(int(NUMBER)) not in text, message
    assert all(seen[code] > count / 50 for code in ("OK", "INVALID_ARGUMENT")), seen
