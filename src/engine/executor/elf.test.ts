import { expect, it } from "vitest";
import { readElf, readInterpreter } from "./elf.ts";

function header(bits: number, order: number, machine: number): Uint8Array {
  const file = new Uint8Array(64);
  file.set([0x7f, 0x45, 0x4c, 0x46, bits, order, 1]);
  new DataView(file.buffer).setUint16(18, machine, order === 1);
  return file;
}

it.each([
  ["amd64", 2, 1, 62],
  ["386", 1, 1, 3],
  ["arm64", 2, 1, 183],
  ["arm", 1, 1, 40],
  ["ppc64le", 2, 1, 21],
  ["ppc64", 2, 2, 21],
  ["s390x", 2, 2, 22],
  ["riscv64", 2, 1, 243],
  ["machine-999", 2, 1, 999],
])("reads the header of a program for %s", (architecture, bits, order, machine) => {
  expect(readElf(header(bits, order, machine))).toEqual({ architecture });
});

it.each([
  ["nothing", new Uint8Array()],
  ["text", new TextEncoder().encode("hello, this is not a program")],
  ["a header cut short", header(2, 1, 62).subarray(0, 19)],
  ["a header of no byte order", header(2, 0, 62)],
])("does not take %s for a program", (_, bytes) => {
  expect(readElf(bytes)).toBeUndefined();
});

it.each([
  ["#!/bin/sh\n", "/bin/sh"],
  ["#! /usr/bin/env bash -e\n", "/usr/bin/env"],
  ["#!/bin/sh", "/bin/sh"],
  ["#!\n/bin/sh", undefined],
  ["# !/bin/sh\n", undefined],
  ["", undefined],
])("finds the interpreter of %j", (text, interpreter) => {
  expect(readInterpreter(new TextEncoder().encode(text))).toBe(interpreter);
});
