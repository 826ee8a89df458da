"""What a Modbus device complains about."""

from __future__ import annotations

#: The exception codes of the application protocol (V1.1b3, section 7), and 7, which older devices still send.
EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge: it has begun, and will take a while",
    6: "server device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}


class ModbusError(Exception):
    """A device has answered a request with an exception. It has not done what was asked; the connection is in order.

    Attributes:
        unit: the address of the device.
        function: the function code of the request.
        code: the exception code.
        meaning: what the code means, as the standard has it.
        resource: the resource string that the device was reached by.
    """

    unit: int
    function: int
    code: int
    resource: str | None = None

    def __init__(self, unit: int, function: int, code: int) -> None:
        super().__init__(unit, function, code)
        self.unit = unit
        self.function = function
        self.code = code

    @property
    def meaning(self) -> str:
        return EXCEPTIONS.get(self.code, "a code that the standard does not have")

    def __str__(self) -> str:
        where = "" if self.resource is None else f"{self.resource}: "
        return f"{where}unit {self.unit} answers function {self.function} with exception {self.code}: {self.meaning}"
