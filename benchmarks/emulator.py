"""C files on emulated ARM processors: compiled, linked without an operating system, and run by QEMU.

Debian has the tools: ``apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm``. QEMU has no board
with a Cortex-M0+; what is compiled for it runs on the micro:bit's Cortex-M0, which has the same instructions.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np

TOOLS = ("arm-none-eabi-gcc", "arm-none-eabi-nm", "arm-none-eabi-size", "qemu-system-arm")
CPUS = {
    "cortex-m0plus": ("microbit", ()),
    "cortex-m4": ("mps2-an386", ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")),
}
"""QEMU's board for each processor, and flags of the compiler; files of floats take and give floats."""
TIMED = 100
"""Rows that are timed, before the counter's 24 bits are full."""
PER_TICK = {"cortex-m0plus": 1000 / 16, "cortex-m4": 1000 / 25}
"""Instructions at 1 ns each, of boards with 16 and 25 MHz."""

LAYOUT = """
ENTRY(reset)
SECTIONS
{
    .text 0 : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
    .bss 0x20000000 : { *(.data*) *(.bss*) *(COMMON) stack_bottom = ALIGN(4); }
    stack_top = 0x20004000;
    /DISCARD/ : { *(.ARM.exidx*) *(.init) *(.fini) *(.init_array*) *(.fini_array*) }
}
"""

# the student alone: what it takes in flash
ALONE = """
#include "s.h"
extern unsigned stack_top;
volatile int label;
void reset(void);
void reset(void)
{
    static NUMBER row[SKLKD_FEATURES], out[SKLKD_OUTPUTS];
    for (;;) {
        sklkd_predict_one(row, out);
        label = LABEL(out);
    }
}
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {&stack_top, (void *)reset};
"""

# rows from a file of the host by semihosting, answers into another
RUN = """
#include <stdint.h>
#include "s.h"
#define REGISTER(address) (*(volatile uint32_t *)(address))
extern uint32_t stack_top, stack_bottom;
void reset(void);

static int ask(int what, const void *block)
{
    register int r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int opened(const char *name, uint32_t length, uint32_t mode)
{
    struct { const char *name; uint32_t mode, length; } block = {name, mode, length};
    return ask(1, &block);
}

static NUMBER row[SKLKD_FEATURES];
static struct { NUMBER out[SKLKD_OUTPUTS]; int32_t label; } answer;
static uint32_t measured[2];

/* the student on a stack that was painted before, and how much of it is changed */
__attribute__((noinline)) static void answer_one(void)
{
    volatile uint32_t *top = (volatile uint32_t *)__builtin_frame_address(0), *at;
    register uint32_t *now __asm__("sp");
    for (at = &stack_bottom; at < now; at++)
        *at = 0x5a5a5a5a;
    sklkd_predict_one(row, answer.out);
    answer.label = LABEL(answer.out);
    for (at = &stack_bottom; *at == 0x5a5a5a5a; at++) {}
    if (measured[0] < 4 * (uint32_t)(top - at))
        measured[0] = 4 * (uint32_t)(top - at);
}

void reset(void)
{
    int rows, answers, sizes, n;
    struct { int file; void *bytes; uint32_t size; } in = {0, row, sizeof row}, out = {0, &answer, sizeof answer},
        last = {0, measured, sizeof measured};
#if defined __ARM_FP
    REGISTER(0xE000ED88) |= 0xf << 20;
#endif
    REGISTER(0xE000E014) = 0xffffff;
    REGISTER(0xE000E018) = 0;
    REGISTER(0xE000E010) = 5;
    in.file = rows = opened("rows.bin", 8, 1);
    out.file = answers = opened("answers.bin", 11, 5);
    last.file = sizes = opened("measured.bin", 12, 5);
    for (n = 0; ask(6, &in) == 0; n++) {
        uint32_t before = REGISTER(0xE000E018);
        if (n < TIMED) {
            sklkd_predict_one(row, answer.out);
            measured[1] += (before - REGISTER(0xE000E018)) & 0xffffff;
        }
        answer_one();
        ask(5, &out);
    }
    ask(5, &last);
    ask(2, &answers);
    ask(2, &sizes);
    ask(0x18, (void *)0x20026);
    (void)rows;
    for (;;) {}
}
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {&stack_top, (void *)reset};
"""


def missing_tools() -> list[str]:
    """Names of the programs that are not there."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


class Device:
    """A C file and its header, compiled for a processor.

    Parameters
    ----------
    folder : Path
        With ``s.c`` and ``s.h``; everything else is written there.
    cpu : {"cortex-m0plus", "cortex-m4"}
    optimize : str, default="-Os"
    """

    def __init__(self, folder: Path, cpu: str, optimize: str = "-Os"):
        self.folder, self.cpu = folder, cpu
        self.board, flags = CPUS[cpu]
        header = (folder / "s.h").read_text()
        self.dtype = np.dtype(np.float32 if "sklkd_real;" in header else np.int32)
        label = "sklkd_label(out)" if "sklkd_label" in header else "0"
        number = "int32_t" if self.dtype.kind == "i" else "sklkd_real"
        own = ("-DSKLKD_REAL=float", f"-DNUMBER={number}", f"-DLABEL(out)={label}", f"-DTIMED={TIMED}")
        self._command = ["arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", optimize, "-std=gnu99", *flags, *own]
        self._call(*self._command, "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror", "-c", "s.c")
        (folder / "layout.ld").write_text(LAYOUT)

    def _call(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _linked(self, name: str, code: str) -> None:
        (self.folder / f"{name}.c").write_text(code)
        link = ("-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-T", "layout.ld")
        self._call(*self._command, *link, "-o", f"{name}.elf", f"{name}.c", "s.o", "-lm")

    def undefined(self) -> list[str]:
        """Functions that the file takes from libraries."""
        return [line.split()[-1] for line in self._call("arm-none-eabi-nm", "-u", "s.o").splitlines()]

    def flash_bytes(self) -> int:
        """Of a program that is nothing but the student and what it takes from libraries."""
        self._linked("alone", ALONE)
        text, data = self._call("arm-none-eabi-size", "alone.elf").splitlines()[1].split()[:2]
        return int(text) + int(data)

    def run(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, float]:
        """Outputs (n, n_outputs), labels (n,), the most bytes of stack, and instructions of one row."""
        np.ascontiguousarray(rows, dtype=self.dtype).tofile(self.folder / "rows.bin")
        self._linked("run", RUN)
        machine = ("-M", self.board, "-icount", "shift=0", "-display", "none", "-monitor", "none", "-serial", "none")
        semihosting = ("-semihosting-config", "enable=on,target=native")
        self._call("qemu-system-arm", *machine, *semihosting, "-kernel", "run.elf")
        answers = np.fromfile(self.folder / "answers.bin", dtype=self.dtype).reshape(len(rows), -1)
        stack, ticks = np.fromfile(self.folder / "measured.bin", dtype=np.uint32).tolist()
        instructions = ticks * PER_TICK[self.cpu] / min(TIMED, len(rows))
        return answers[:, :-1], answers[:, -1].copy().view(np.int32), stack, instructions
