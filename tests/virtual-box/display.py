"""A model of the display that the guest's bus tells things to: an SSD1306, 128×64, as its data sheet has it."""

# commands with values after them, and how many bytes they are together
LENGTHS = {0x20: 2, 0x21: 3, 0x22: 3, 0x81: 2, 0x8D: 2, 0xA8: 2, 0xD3: 2, 0xD5: 2, 0xD9: 2, 0xDA: 2, 0xDB: 2}


def messages(journal):
    """What was written to the bus, message by message, as panel-sim keeps it."""
    at = 0
    while at < len(journal):
        length = int.from_bytes(journal[at : at + 2], "little")
        yield journal[at + 2 : at + 2 + length]
        at += 2 + length


class Display:
    """Begins as it is when power comes: dark, without its pump, noise in its memory."""

    def __init__(self):
        self.memory = bytearray((37 * n) % 251 for n in range(1024))
        self.on = self.pump = self.across = False
        self.columns, self.pages, self.column, self.page = [0, 127], [0, 7], 0, 0
        self.drawn = 0

    def hear(self, journal):
        for control, *rest in messages(journal):
            if control == 0x40:
                self.data(rest)
            else:
                self.commands(rest)
        return self

    def data(self, columns):
        self.drawn += len(columns)
        for eight in columns:
            self.memory[self.page * 128 + self.column] = eight
            self.column += 1
            if self.column > self.columns[1]:
                self.column = self.columns[0]
                # page by page, until it is told to go on at the next page
                if self.across:
                    self.page = self.page + 1 if self.page < self.pages[1] else self.pages[0]

    def commands(self, message):
        while message:
            command, *values = message[: LENGTHS.get(message[0], 1)]
            message = message[1 + len(values) :]
            if command in (0xAE, 0xAF):
                self.on = command == 0xAF
            elif command == 0x20:
                self.across = values == [0]
            elif command == 0x21:
                self.columns, self.column = values, values[0]
            elif command == 0x22:
                self.pages, self.page = values, values[0]
            elif command == 0x8D:
                self.pump = values == [0x14]

    def points(self):
        """Row by row, 255 where it is lit: nothing is, while it is off or without its pump."""
        shines = self.on and self.pump
        return [bytes(255 * (shines and self.memory[y // 8 * 128 + x] >> y % 8 & 1) for x in range(128)) for y in range(64)]
