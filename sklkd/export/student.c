/* @ABOUT@ */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "missing values are NAN, which -ffast-math leaves out: compile without it"
#endif
/* 16 is for machines that compute with halves: floats stay floats there as well. */
#if defined FLT_EVAL_METHOD && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "floats must be rounded to floats (on x86: -msse2 -mfpmath=sse)"
#endif

/* @INTERFACE@ */

/* Vectors that straddle two cache lines take longer, and C99 aligns arrays for single numbers. */
#define LINE 64
#define SPARE (LINE / (int)sizeof(float))
#ifdef __GNUC__
#define ALIGNED __attribute__((aligned(LINE)))
#elif defined _MSC_VER
#define ALIGNED __declspec(align(64))
#else
#define ALIGNED
#endif

/* @DATA@ */

/* Rows at a time: what they share is read once, and what they need fits the fastest cache. A multiple of 4. */
#define BLOCK 32

/* C++ has no restrict, but its compilers have. */
#if defined __GNUC__ || defined _MSC_VER
#define RESTRICT __restrict
#elif defined __cplusplus
#define RESTRICT
#else
#define RESTRICT restrict
#endif

/* Inlined, a function would lose what RESTRICT says of its arguments, and be slower for it. */
#ifdef __GNUC__
#define APART __attribute__((noinline)) static
#else
#define APART static
#endif

#if EIGHT_BITS
#define SCALED(value, scale) ((value) * (scale))
#else
#define SCALED(value, scale) (value)
#endif

static float *aligned(float *units)
{
    return units + (LINE - (uintptr_t)units % LINE) % LINE / sizeof(float);
}

#if HIDDEN || CLASSES || POSITIVE || UNIT
/* exp(x) to 2e-7 for small x, to 4e-6 for the largest, in a form that compilers vectorise; x is cut to what a float can
 * hold, NAN is the least. The polynomial is the one of its degree with the least relative error between -log(2)/2 and
 * log(2)/2. */
static inline float exponential(float x)
{
    int32_t bits;
    float n, r, power;
    x = x > 88.0f ? 88.0f : x;
    x = x > -87.0f ? x : -87.0f;
    n = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23, beside which a float has no fraction */
    n -= 12582912.0f;
    bits = ((int32_t)n + 127) * 8388608;
    memcpy(&power, &bits, sizeof power);
    r = x - n * 0.693147181f;
    return power
        * (1.0f + r * (1.0f + r * (0.4999923f + r * (0.16667116f + r * (0.04189034f + r * 0.008312508f)))));
}
#endif

static void fill(const float *b, int width, int rows, float *y)
{
    int r, u;
    for (r = 0; r < rows; r++)
        for (u = 0; u < width; u++)
            y[r * width + u] = b[u];
}

/* y plus x w, for one row; inputs and width are multiples of 8 */
APART void layer_one(const weight *w, int inputs, int width, const float *x, float *RESTRICT y)
{
    int i, u;
    for (i = 0; i < inputs; i += 8, x += 8, w += 8 * width)
        for (u = 0; u < width; u++) {
            float s01 = x[0] * w[u] + x[1] * w[u + width];
            float s23 = x[2] * w[u + 2 * width] + x[3] * w[u + 3 * width];
            float s45 = x[4] * w[u + 4 * width] + x[5] * w[u + 5 * width];
            float s67 = x[6] * w[u + 6 * width] + x[7] * w[u + 7 * width];
            y[u] += (s01 + s23) + (s45 + s67);
        }
}

/* to four rows of y, what four inputs give: each weight is read once */
#define SUM(r) float sum##r = y[u + r * width]
#define ADD(r, k) sum##r += x[r * inputs + k] * w##k
APART void four_by_four(const weight *w, int inputs, int width, const float *x, float *RESTRICT y)
{
    int u;
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

/* the same for all inputs and a width of 8, where sums that wait for each other would take longest */
#define FOUR(r) \
    y[u + r * 8] += (x[i + r * inputs] * w0 + x[i + r * inputs + 1] * w1) \
        + (x[i + r * inputs + 2] * w2 + x[i + r * inputs + 3] * w3)
APART void four_narrow(const weight *w, int inputs, const float *x, float *RESTRICT y)
{
    int i, u;
    for (i = 0; i < inputs; i += 4, w += 32)
        for (u = 0; u < 8; u++) {
            float w0 = w[u], w1 = w[u + 8], w2 = w[u + 16], w3 = w[u + 24];
            FOUR(0); FOUR(1); FOUR(2); FOUR(3);
        }
}

/* as layer_one, for a multiple of four rows */
static void layer_many(const weight *w, int inputs, int width, int rows, const float *x, float *y)
{
    int i, r;
    if (width == 8)
        for (r = 0; r < rows; r += 4)
            four_narrow(w, inputs, x + r * inputs, y + r * width);
    else
        for (i = 0; i < inputs; i += 4)
            for (r = 0; r < rows; r += 4)
                four_by_four(w + i * width, inputs, width, x + r * inputs + i, y + r * width);
}

/* parts of dates stand behind the columns of a row */
#define COLUMNS (SKLKD_FEATURES + DATE_PARTS)

#if DATE_PARTS
/* @DATES@ */

static void add_parts(const sklkd_real *x, int rows, sklkd_real *wide)
{
    int i, r;
    for (r = 0; r < rows; r++, x += SKLKD_FEATURES, wide += COLUMNS) {
        memcpy(wide, x, SKLKD_FEATURES * sizeof *x);
        for (i = 0; i < DATE_PARTS; i++)
            wide[SKLKD_FEATURES + i] = part_of_date(x[date_columns[i]], date_parts[i]);
    }
}
#endif

#if NUMBERS
/* z: scaled numbers, 0 where they are missing; c: smoothly clipped ones; infinity becomes NAN */
APART void encode(const sklkd_real *x, int rows, float *z, float *c)
{
    int j, r;
    for (r = 0; r < rows; r++, x += COLUMNS, z += INPUTS, c += INPUTS) {
        for (j = 0; j < NUMBERS; j++) {
            sklkd_real given = x[NUMERIC(j)], scaled = (given - number_center[j]) / number_scale[j];
            float v, near;
            scaled = scaled > 1e30f ? 1e30f : scaled;
            scaled = scaled < -1e30f ? -1e30f : scaled;
            v = (float)scaled;
#if ALLOW_MISSING
            given = given != given ? 0 : given;
            v = v != v ? 0.0f : v;
#endif
            near = v > 1e18f ? 1e18f : v;
            near = near < -1e18f ? -1e18f : near;
            z[j] = v;
            c[j] = SCALED(near / sqrtf(1.0f + near * near * (1.0f / 9.0f)), clip_scale[j]) + (float)(given - given);
        }
        for (; j < INPUTS; j++)
            c[j] = 0.0f;
    }
}
#endif

#if BINNED
/* for one row: each column's edge below its value, and how far it is on the way to the next, from 0 to 1 */
APART void find_one(const float *z, int *at, float *part)
{
    int b, i;
    for (b = 0; b < BINNED; b++) {
        const float *edge = edges + starts[b];
        int bins = starts[b + 1] - starts[b] - 1, bin = 0;
        float v = z[binned[b]], t;
        for (i = 1; i < bins; i++)
            bin += v >= edge[i];
        at[b] = starts[b] + bin;
        edge += bin;
        t = (v - edge[0]) / (edge[1] - edge[0]);
        t = t < 0.0f ? 0.0f : t;
        part[b] = t > 1.0f ? 1.0f : t;
    }
}

/* the same for a block, whose rows lie side by side in at and part */
APART void find_many(const float *z, int rows, int *at, float *part)
{
    int b, e, r;
    for (b = 0; b < BINNED; b++, at += BLOCK, part += BLOCK) {
        float v[BLOCK];
        int first = starts[b], last = starts[b + 1] - 1;
        for (r = 0; r < BLOCK; r++) {
            v[r] = z[(r < rows ? r : 0) * INPUTS + binned[b]];
            at[r] = first;
        }
        for (e = first + 1; e + 3 < last; e += 4) {
            float e0 = edges[e], e1 = edges[e + 1], e2 = edges[e + 2], e3 = edges[e + 3];
            for (r = 0; r < BLOCK; r++)
                at[r] += (v[r] >= e0) + (v[r] >= e1) + (v[r] >= e2) + (v[r] >= e3);
        }
        for (; e < last; e++)
            for (r = 0; r < BLOCK; r++)
                at[r] += v[r] >= edges[e];
        for (r = 0; r < BLOCK; r++) {
            float low = edges[at[r]], t = (v[r] - low) / (edges[at[r] + 1] - low);
            t = t < 0.0f ? 0.0f : t;
            part[r] = t > 1.0f ? 1.0f : t;
        }
    }
}

/* the rows of values of an edge of column b, and of the next edge */
#if EIGHT_BITS
#define LOW(edge, b) (edge)
#define HIGH(edge, b) ((edge) + 1)
#else
/* nothing at a column's first edge, where all of them share row 0 */
#define LOW(edge, b) (((edge) - (b)) & -((edge) != starts[b])) /* a branch would often be guessed wrongly */
#define HIGH(edge, b) ((edge) - (b) + 1)
#endif

/* y plus what column b gives, or four columns from b on; stride: from one column to the next in at and part */
#define COLUMN(k) \
    const weight *low##k = value_weights + LOW(at[k * stride], b + k) * WIDTH; \
    const weight *high##k = value_weights + HIGH(at[k * stride], b + k) * WIDTH; \
    float s##k = SCALED(1.0f - part[k * stride], value_scale[b + k]); \
    float t##k = SCALED(part[k * stride], value_scale[b + k]);
#define GIVES(k) (s##k * low##k[u] + t##k * high##k[u])
APART void add_column(int b, const int *at, const float *part, int stride, float *RESTRICT y)
{
    COLUMN(0)
    int u;
    for (u = 0; u < WIDTH; u++)
        y[u] += GIVES(0);
    (void)b;
}

APART void add_four_columns(int b, const int *at, const float *part, int stride, float *RESTRICT y)
{
    COLUMN(0) COLUMN(1) COLUMN(2) COLUMN(3)
    int u;
    for (u = 0; u < WIDTH; u++)
        y[u] += (GIVES(0) + GIVES(1)) + (GIVES(2) + GIVES(3));
    (void)b;
}

static void add_columns(const int *at, const float *part, int stride, int rows, float *y)
{
    int b, r;
    for (b = 0; b + 3 < BINNED; b += 4, at += 4 * stride, part += 4 * stride)
        for (r = 0; r < rows; r++)
            add_four_columns(b, at + r, part + r, stride, y + r * WIDTH);
    for (; b < BINNED; b++, at += stride, part += stride)
        for (r = 0; r < rows; r++)
            add_column(b, at + r, part + r, stride, y + r * WIDTH);
}
#endif

#if CATEGORICAL || WITH_MISSING
/* y plus four rows of weights, each times its factor */
APART void add_four(const weight *const *row, const float *factor, float *RESTRICT y)
{
    const weight *w0 = row[0], *w1 = row[1], *w2 = row[2], *w3 = row[3];
    float s0 = factor[0], s1 = factor[1], s2 = factor[2], s3 = factor[3];
    int u;
    for (u = 0; u < WIDTH; u++)
        y[u] += (s0 * w0[u] + s1 * w1[u]) + (s2 * w2[u] + s3 * w3[u]);
}

/* what categories and missing numbers add to the first layer of a row */
static void add_categories(const sklkd_real *x, float *RESTRICT y)
{
    const weight *row[CATEGORICAL + WITH_MISSING + 3];
    float factor[CATEGORICAL + WITH_MISSING + 3];
    int i, n = 0;
#if CATEGORICAL
    for (i = 0; i < CATEGORICAL; i++) {
        sklkd_real code = x[categorical[i]];
        int known = category_starts[i + 1] - category_starts[i] - 2;
        int category = code != code ? known : code >= 0 && code < (sklkd_real)known ? (int)code : known + 1;
        row[n] = category_weights + category_rows[category_starts[i] + category] * WIDTH;
        factor[n++] = SCALED(1.0f, category_scale[i]);
    }
#endif
#if WITH_MISSING
    for (i = 0; i < WITH_MISSING; i++)
        if (x[NUMERIC(with_missing[i])] != x[NUMERIC(with_missing[i])]) {
            row[n] = missing_weights + i * WIDTH;
            factor[n++] = SCALED(1.0f, missing_scale[i]);
        }
#endif
    for (; n % 4; n++) {
        row[n] = row[n - 1];
        factor[n] = 0.0f;
    }
    for (i = 0; i < n; i += 4)
        add_four(row + i, factor + i, y);
}
#endif

#if HIDDEN
static void swap(float **a, float **b)
{
    float *kept = *a;
    *a = *b;
    *b = kept;
}

/* x / (1 + exp(-x)), times the scales of the weights that follow */
APART void silu(float *x, int rows, int width, const float *scale)
{
    int r, k;
    for (r = 0; r < rows; r++, x += width)
        for (k = 0; k < width; k++)
            x[k] = SCALED(x[k] / (1.0f + exponential(-x[k])), scale[k]);
    (void)scale;
}
#endif

/* from the last layer's units to what the caller gets */
static void finish(float *y, sklkd_real *out)
{
    int k;
#if ORDERED
    float least[SKLKD_OUTPUTS]; /* quantiles do not cross */
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        int i = k;
        for (; i > 0 && least[i - 1] > y[k]; i--)
            least[i] = least[i - 1];
        least[i] = y[k];
    }
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        y[k] = least[target_order[k]];
#endif
#if CLASSES
    float most = y[0], total = y[0] - y[0]; /* NAN stays NAN */
    for (k = 1; k < SKLKD_OUTPUTS; k++)
        most = y[k] > most ? y[k] : most;
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        y[k] = exponential(y[k] - most);
        total += y[k];
    }
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = y[k] / total;
#elif POSITIVE
    /* an exponential up to the bend, then its tangent; NAN stays NAN */
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        sklkd_real u = y[k] * target_gain[k], capped = u > target_bend[k] ? target_bend[k] : u;
        float power = exponential((float)(capped < LEAST_LOG ? LEAST_LOG : capped));
        out[k] = target_center[k] * power * (1 + (u - capped));
    }
#elif UNIT
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        float u = (float)(y[k] * target_gain[k] + target_shift[k]);
        out[k] = 1 / (1 + exponential(-u)) + (u - u);
    }
#else
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = y[k] * target_scale[k] + target_center[k];
#endif
#if AFTERWARDS
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = afterwards(out[k]);
#endif
}

#if CLASSES
int sklkd_label(const sklkd_real *out)
{
#if THRESHOLD
    return out[1] >= threshold;
#else
    int k, label = 0;
    for (k = 1; k < SKLKD_OUTPUTS; k++)
        label = out[k] > out[label] ? k : label;
    return label;
#endif
}
#endif

/* a layer after the first; written out, so that compilers know its sizes */
#define LAYER_ONE(w, b, scale, inputs, outputs) \
    silu(h, 1, inputs, scale); \
    fill(b, outputs, 1, next); \
    layer_one(w, inputs, outputs, h, next); \
    swap(&h, &next);
#define LAYER_MANY(w, b, scale, inputs, outputs) \
    silu(h, rows, inputs, scale); \
    fill(b, outputs, rows, next); \
    layer_many(w, inputs, outputs, rows, h, next); \
    swap(&h, &next);

void sklkd_predict_one(const sklkd_real *x, sklkd_real *out)
{
    float units[2 * WIDEST + SPARE], *h = aligned(units), *next = h + WIDEST;
#if DATE_PARTS
    sklkd_real wide[COLUMNS];
    add_parts(x, 1, wide);
    x = wide;
#endif
#if NUMBERS
    float z[INPUTS], c[INPUTS];
    encode(x, 1, z, c);
#endif
    fill(bias, WIDTH, 1, h);
#if NUMBERS
    layer_one(clip_weights, INPUTS, WIDTH, c, h);
#endif
#if BINNED
    {
        int at[BINNED];
        float part[BINNED];
        find_one(z, at, part);
        add_columns(at, part, 1, 1, h);
    }
#endif
#if CATEGORICAL || WITH_MISSING
    add_categories(x, h);
#endif
    LAYERS(LAYER_ONE)
    finish(h, out);
    (void)next;
}

static void predict_block(const sklkd_real *x, int rows, sklkd_real *out)
{
    float units[2 * BLOCK * WIDEST + SPARE], *h = aligned(units), *next = h + BLOCK * WIDEST;
    int r;
#if DATE_PARTS
    sklkd_real wide[BLOCK * COLUMNS];
    add_parts(x, rows, wide);
    x = wide;
#endif
#if NUMBERS
    float z[BLOCK * INPUTS], c[BLOCK * INPUTS];
    encode(x, rows, z, c);
#endif
    fill(bias, WIDTH, rows, h);
#if NUMBERS
    layer_many(clip_weights, INPUTS, WIDTH, rows, c, h);
#endif
#if BINNED
    {
        int at[BINNED * BLOCK];
        float part[BINNED * BLOCK];
        find_many(z, rows, at, part);
        add_columns(at, part, BLOCK, rows, h);
    }
#endif
#if CATEGORICAL || WITH_MISSING
    for (r = 0; r < rows; r++)
        add_categories(x + r * COLUMNS, h + r * WIDTH);
#endif
    LAYERS(LAYER_MANY)
    for (r = 0; r < rows; r++)
        finish(h + r * LAST, out + r * SKLKD_OUTPUTS);
    (void)next;
}

void sklkd_predict(const sklkd_real *x, size_t n, sklkd_real *out)
{
    while (n > 0) {
        size_t rows = n >= BLOCK ? BLOCK : n >= 4 ? 4 : 1;
        if (rows == 1)
            sklkd_predict_one(x, out);
        else
            predict_block(x, (int)rows, out);
        n -= rows;
        x += rows * SKLKD_FEATURES;
        out += rows * SKLKD_OUTPUTS;
    }
}
