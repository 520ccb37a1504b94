"""A messy export as departments send them, its contract, and what is true of it; for whichever way it comes."""

from __future__ import annotations

from hub_schemas import load_contract

CONTRACT = load_contract("""
apiVersion: v3.1.0
kind: DataContract
id: tests.residents
name: Residents
version: 1.0.0
status: active
domain: tests
description: {purpose: Tests}
schema:
  - name: residents
    logicalType: object
    customProperties: [{property: refusalThreshold, value: 0.9}]
    properties:
      - {name: resident_id, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1,
         classification: official}
      - {name: surname, physicalName: Family name, logicalType: string, required: true, classification: personal}
      - name: born
        logicalType: date
        classification: personal
        customProperties: [{property: format, value: "%d/%m/%Y"}]
      - {name: note, logicalType: string, classification: special-category}
      - {name: rent, logicalType: number, classification: official, logicalTypeOptions: {minimum: -100}}
""")

#: Semicolons, cp1252, CRLF and LF, a blank line, a quoted line end, rows too long and too short, faults of all kinds.
MESSY = (
    "Resident_ID;Family name;born;note;rent;Office\r\n"
    "r1;Müller-Canaryfeather;05/06/1948;says “hello”;12.5;North\r\n"
    'r2;O\'Brien;31/12/1990;"two\r\nlines; and a ""quote""";-3;North\n'
    "r3;Zoë;30/02/2001;;1;North\r\n"
    "\r\n"
    "r4;;01/01/2001;no name;2;South\r\n"
    "r5;Ågren;01/01/2001;too many;3;South;more;still more\r\n"
    "r6;Short\r\n"
    "r1;Again;01/01/2001;the same key;4;South\r\n"
    "r7;=HYPERLINK(\"x\");01/01/2001;'=quoted;5;South\r\n"
    "r8;Dear;01/01/2001;rent?;-500;South\r\n"
    "r9;Last;;;;"
).encode("cp1252")  # fmt: skip
#: Data rows (from 1) that are at fault in it.
AT_FAULT = [3, 4, 5, 6, 7, 9]
#: What may stand nowhere in the clear.
CANARIES = ("Canaryfeather", "05/06/1948", "HYPERLINK", "Ågren", "two\r\nlines")
