"""The C code of an exported student: fixed parts, and those that depend on what the student has."""

from __future__ import annotations

import textwrap

MARK = "sklkd: "
"""What stands before the JSON object in which a file says what it is."""

FORMAT = 1
"""Counts up when files change so that older versions would misread them."""

PREAMBLE = """\
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "missing values are NAN, which -ffast-math leaves out: compile without it"
#endif
#if defined FLT_EVAL_METHOD && FLT_EVAL_METHOD != 0
#error "floats must be rounded to floats (on x86: -msse2 -mfpmath=sse)"
#endif
#ifndef SKLKD_REAL
#define SKLKD_REAL double
#endif
typedef SKLKD_REAL sklkd_real;
"""

MATHS = """
/* exp(x) to 2e-7, in a form that compilers vectorise; x is cut to what a float can hold, NAN is the least */
static inline float exponential(float x)
{
    union { int bits; float value; } power;
    float n, r;
    x = x > 88.0f ? 88.0f : x;
    x = x > -87.0f ? x : -87.0f;
    n = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23, beside which a float has no fraction */
    n -= 12582912.0f;
    power.bits = ((int)n + 127) * 8388608;
    r = x - n * 0.693359375f + n * 2.12194440e-4f;
    return power.value * (1.0f + r * (1.0f + r * (0.5f + r * (0.166666657f + r * (0.0416664853f
        + r * (0.00833336077f + r * 0.00139304355f))))));
}
"""

SILU = """
static void silu(float *x, int n)
{
    int i;
    for (i = 0; i < n; i++)
        x[i] = x[i] / (1.0f + exponential(-x[i]));
}
"""

SCALED_SILU = """
/* and the scales of the weights that follow */
static void silu(float *x, int n, const float *scale, int inputs)
{
    int i, k;
    for (i = 0; i < n; i += inputs)
        for (k = 0; k < inputs; k++)
            x[i + k] = x[i + k] / (1.0f + exponential(-x[i + k])) * scale[k];
}
"""

LAYERS = """
/* y = b + x w; inputs and width are multiples of 8 */
static void layer_1(const weight *w, const float *b, int inputs, int width, const float *x, float *restrict y)
{
    int i, u;
    for (u = 0; u < width; u++)
        y[u] = b[u];
    for (i = 0; i < inputs; i += 8, x += 8, w += 8 * width)
        for (u = 0; u < width; u++) {
            float sum = y[u];
            sum += x[0] * w[u];
            sum += x[1] * w[u + width];
            sum += x[2] * w[u + 2 * width];
            sum += x[3] * w[u + 3 * width];
            sum += x[4] * w[u + 4 * width];
            sum += x[5] * w[u + 5 * width];
            sum += x[6] * w[u + 6 * width];
            sum += x[7] * w[u + 7 * width];
            y[u] = sum;
        }
}

/* the same for four rows, which read each weight once */
#define SUM(r) float sum##r = y[u + r * width]
#define ADD(r, k) sum##r += x[r * inputs + k] * w##k
static void layer_4(const weight *w, const float *b, int inputs, int width, const float *x, float *restrict y)
{
    int i, u;
    for (u = 0; u < width; u++)
        y[u] = y[u + width] = y[u + 2 * width] = y[u + 3 * width] = b[u];
    for (i = 0; i < inputs; i += 4, x += 4, w += 4 * width)
        for (u = 0; u < width; u++) {
            float w0 = w[u], w1 = w[u + width], w2 = w[u + 2 * width], w3 = w[u + 3 * width];
            SUM(0); SUM(1); SUM(2); SUM(3);
            ADD(0, 0); ADD(0, 1); ADD(0, 2); ADD(0, 3);
            ADD(1, 0); ADD(1, 1); ADD(1, 2); ADD(1, 3);
            ADD(2, 0); ADD(2, 1); ADD(2, 2); ADD(2, 3);
            ADD(3, 0); ADD(3, 1); ADD(3, 2); ADD(3, 3);
            y[u] = sum0, y[u + width] = sum1, y[u + 2 * width] = sum2, y[u + 3 * width] = sum3;
        }
}
"""

ADD_ROWS = """
/* y plus four rows of a table, each times its share */
static void add_rows(const weight *const *row, const float *share, float *restrict y)
{
    const weight *w0 = row[0], *w1 = row[1], *w2 = row[2], *w3 = row[3];
    float s0 = share[0], s1 = share[1], s2 = share[2], s3 = share[3];
    int u;
    for (u = 0; u < WIDTH; u++)
        y[u] += (s0 * w0[u] + s1 * w1[u]) + (s2 * w2[u] + s3 * w3[u]);
}
"""


def encode(*, columns: bool, gaps: bool, scaled: bool) -> str:
    """Numbers, scaled and smoothly clipped; ``columns``: a table says where in x they stand."""
    at = "numeric[j]" if columns else "j"
    missing = "        v = v != v ? 0.0f : v;\n" if gaps else ""
    scale = " * clip_scale[j]" if scaled else ""
    return f"""
/* c: the smoothly clipped numbers; infinity becomes NAN */
static void encode(const sklkd_real *x, float *z, float *c)
{{
    int j;
    for (j = 0; j < NUMBERS; j++) {{
        float v = (float)((x[{at}] - center[j]) / scale[j]), near;
{missing}        near = v > 1e18f ? 1e18f : v;
        near = near < -1e18f ? -1e18f : near;
        z[j] = v;
        c[j] = near / sqrtf(1.0f + near * near * (1.0f / 9.0f)){scale} + (v - v);
    }}
    for (; j < INPUTS; j++)
        c[j] = 0.0f;
}}
"""


def look_up(*, bins: bool, gaps: bool, categories: bool, columns: bool, scaled: bool) -> str:
    """Which rows of the tables a row of x reads, and the share of each."""
    left, right, gap, level = "1.0f - t", "t", "1.0f", "1.0f"
    if scaled:
        left, right = "(1.0f - t) * value_scale[b]", "t * value_scale[b]"
        gap, level = "gap_scale[g]", "level_scale[k]"
    parts = []
    if bins:
        parts.append(f"""\
    for (b = 0; b < BINNED; b++) {{
        const float *edge = edges + starts[b];
        int bins = starts[b + 1] - starts[b] - 1, bin = 0;
        float v = z[binned[b]], t;
        for (i = 1; i < bins; i++)
            bin += v >= edge[i];
        edge += bin;
        t = (v - edge[0]) / (edge[1] - edge[0]);
        t = t < 0.0f ? 0.0f : t;
        t = t > 1.0f ? 1.0f : t;
        row[n] = values + (edge - edges) * WIDTH;
        share[n++] = {left};
        row[n] = row[n - 1] + WIDTH;
        share[n++] = {right};
    }}
""")
    if categories:
        parts.append(f"""\
    for (k = 0; k < CATEGORICAL; k++) {{
        sklkd_real code = x[categorical[k]];
        int known = level_starts[k + 1] - level_starts[k] - 2;
        int level = code != code ? known : code >= 0 && code < known ? (int)code : known + 1;
        row[n] = level_values + levels[level_starts[k] + level] * WIDTH;
        share[n++] = {level};
    }}
""")
    if gaps:  # last, since the others are as many in each row
        at = "numeric[gaps[g]]" if columns else "gaps[g]"
        parts.append(f"""\
    for (g = 0; g < GAPS; g++)
        if (x[{at}] != x[{at}]) {{
            row[n] = gap_values + g * WIDTH;
            share[n++] = {gap};
        }}
""")
    counters = ["n = 0"] + ["i", "b"] * bins + ["g"] * gaps + ["k"] * categories
    unused = "".join(f"    (void){name};\n" for name, used in (("x", gaps or categories), ("z", bins)) if not used)
    table = "values" if bins else "gap_values" if gaps else "level_values"
    return f"""
static int look_up(const sklkd_real *x, const float *z, const weight **row, float *share)
{{
    int {", ".join(counters)};
{unused}{"".join(parts)}    for (; n % 4; n++) {{
        row[n] = {table};
        share[n] = 0.0f;
    }}
    return n;
}}
"""


def finish(*, classification: bool) -> str:
    """From the last layer's units to what the user gets."""
    if classification:
        return """
static void finish(float *y, sklkd_real *out)
{
    float most = y[0], total = y[0] - y[0]; /* NAN stays NAN */
    int k;
    for (k = 1; k < SKLKD_OUTPUTS; k++)
        most = y[k] > most ? y[k] : most;
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        y[k] = exponential(y[k] - most);
        total += y[k];
    }
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = y[k] / total;
}
"""
    return """
static void finish(const float *y, sklkd_real *out)
{
    int k;
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = y[k] * target_scale[k] + target_center[k];
}
"""


def answer_one(widths: list[int], *, table: bool, scaled: bool) -> str:
    """The whole student for one row; ``widths`` are those of its layers, padded."""
    units = "".join(f", h{i}[{width}]" for i, width in enumerate(widths))
    looked_up = """\
    const weight *row[LOOKED_UP];
    float share[LOOKED_UP];
    int i, n;
"""
    add = """\
    n = look_up(x, z, row, share);
    for (i = 0; i < n; i += 4)
        add_rows(row + i, share + i, h0);
"""
    return f"""
static void answer_one(const sklkd_real *x, sklkd_real *out)
{{
    float z[INPUTS], c[INPUTS]{units};
{looked_up if table else ""}    encode(x, z, c);
    layer_1(clip, bias, INPUTS, WIDTH, c, h0);
{add if table else ""}{_hidden(1, "h0", widths, scaled)}    finish(h{len(widths) - 1}, out);
}}
"""


def answer_many(widths: list[int], *, table: bool, scaled: bool) -> str:
    """The whole student for up to BLOCK rows, four at a time; a column's part of the table is read once for all."""
    units = "".join(f", h{i}[4 * {width}]" for i, width in enumerate(widths) if i)
    looked_up = """\
    const weight *row[BLOCK][LOOKED_UP];
    float share[BLOCK][LOOKED_UP];
    int i, n[BLOCK], most = 0;
"""
    look = """\
        n[r] = look_up(x + r * SKLKD_FEATURES, z, row[r], share[r]);
        most = n[r] > most ? n[r] : most;
"""
    add = """\
    for (i = 0; i < most; i += 4)
        for (r = 0; r < rows; r++)
            if (i < n[r])
                add_rows(row[r] + i, share[r] + i, first + r * WIDTH);
"""
    last = len(widths) - 1
    outputs = f"h{last} + k * {widths[last]}" if last else "first + (r + k) * WIDTH"
    return f"""
static void answer_many(const sklkd_real *x, int rows, sklkd_real *out)
{{
    float z[INPUTS], c[BLOCK * INPUTS], first[BLOCK * WIDTH]{units};
{looked_up if table else ""}    int r, k;
    for (r = 0; r < rows; r++) {{
        encode(x + r * SKLKD_FEATURES, z, c + r * INPUTS);
{look if table else ""}    }}
    for (r = 0; r < rows; r += 4)
        layer_4(clip, bias, INPUTS, WIDTH, c + r * INPUTS, first + r * WIDTH);
{add if table else ""}    for (r = 0; r < rows; r += 4) {{
{textwrap.indent(_hidden(4, "(first + r * WIDTH)", widths, scaled), "    ")}\
        for (k = 0; k < 4; k++)
            finish({outputs}, out + (r + k) * SKLKD_OUTPUTS);
    }}
}}
"""


def _hidden(rows: int, first: str, widths: list[int], scaled: bool) -> str:
    """The layers after the first, of one or four rows."""
    lines = []
    for i in range(1, len(widths)):
        before = first if i == 1 else f"h{i - 1}"
        scales = f", scale_{i}, {widths[i - 1]}" if scaled else ""
        lines += [
            f"    silu({before}, {rows} * {widths[i - 1]}{scales});\n",
            f"    layer_{rows}(weight_{i}, bias_{i}, {widths[i - 1]}, {widths[i]}, {before}, h{i});\n",
        ]
    return "".join(lines)


INTERFACE = """
void sklkd_predict_one(const sklkd_real *row, sklkd_real *out)
{
    answer_one(row, out);
}

void sklkd_predict(const sklkd_real *rows, size_t n, sklkd_real *out)
{
    while (n > 0) {
        int block = n < BLOCK ? (int)(n / 4 * 4) : BLOCK;
        if (block)
            answer_many(rows, block, out);
        else
            answer_one(rows, out);
        block = block ? block : 1;
        n -= (size_t)block;
        rows += block * SKLKD_FEATURES;
        out += block * SKLKD_OUTPUTS;
    }
}
"""

CODE = """
int sklkd_code(int column, const char *text)
{
    const char *const *name;
    int code = 0;
    switch (column) {
@CASES@    default: return -1;
    }
    for (; *name; name++, code++)
        if (!strcmp(*name, text))
            return code;
    return -1;
}
"""
