/* @ABOUT@ */
#include <stdint.h>
#include <string.h>

/* @INTERFACE@ */

/* @DATA@ */

typedef char right_shifts_must_keep_the_sign[(-1 >> 1) == -1 ? 1 : -1];

/* the unit of factors and parts */
#define ONE ((int32_t)1 << 30)

#if NUMBERS || HIDDEN || REAL || POSITIVE || UNIT
/* x factor / 2^shift, rounded */
static int32_t scaled(int32_t x, int32_t factor, int shift)
{
    return (int32_t)(((int64_t)x * factor + ((int64_t)1 << (shift - 1))) >> shift);
}
#endif

#if NUMBERS || POSITIVE
/* its coefficients, the last first, in units of ONE; x from 0 to ONE */
static int32_t polynomial(const int32_t *coefficients, int degree, int32_t x)
{
    int32_t y = coefficients[degree];
    while (degree--)
        y = coefficients[degree] + scaled(y, x, 30);
    return y;
}
#endif

#if NUMBERS
/* part / whole in units of ONE, rounded down, for a part of at most the whole: a division without a divider */
static int32_t ratio(uint32_t part, uint32_t whole)
{
    int32_t found = 0;
    int i;
    if (whole >> 31) {
        part >>= 1;
        whole >>= 1;
    }
    for (i = 0; i < 30; i++) {
        part <<= 1;
        found *= 2;
        if (part >= whole) {
            part -= whole;
            found++;
        }
    }
    return found;
}

/* u / sqrt(1 + u^2) for u = size / third */
static int32_t clipped(uint32_t size, uint32_t third)
{
    int near = size <= third;
    int32_t u = near ? ratio(size, third) : ratio(third, size);
    int32_t one_over = polynomial(root, ROOT_DEGREE, scaled(u, u, 30));
    return near ? scaled(u, one_over, 30) : one_over;
}

static int32_t number(const int32_t *row, int j)
{
    int32_t given = row[NUMERIC(j)];
    return given == SKLKD_MISSING ? number_center[j] : given;
}
#endif

#if HIDDEN || UNIT
/* 1 / (1 + exp(-x)) in units of ONE, for x in units of 2^-unit: a cubic about the nearest entry of the table */
static int32_t sigmoid(int32_t x, int unit)
{
    uint64_t place = ((uint64_t)(x < 0 ? -(int64_t)x : x) << 27) >> unit;
    uint32_t at = place < (uint64_t)LAST_SIGMOID << 24 ? (uint32_t)place : (uint32_t)LAST_SIGMOID << 24;
    uint32_t near = (at + ((uint32_t)1 << 23)) >> 24;
    int32_t d = (int32_t)(at & 0xffffff), s = sigmoids[near], first, second, third;
    d = 8 * (d < (int32_t)1 << 23 ? d : d - ((int32_t)1 << 24));
    first = scaled(s, ONE - s, 30);
    second = scaled(first, ONE - 2 * s, 30);
    third = scaled(first, ONE - 6 * first, 30);
    s += scaled(d, first + scaled(d, (second >> 1) + scaled(d, scaled(third, ONE / 6, 30), 30), 30), 30);
    return x < 0 ? ONE - s : s;
}
#endif

#if NUMBERS || CATEGORICAL
/* h plus a row of weights times a factor */
static void add(const int8_t *w, int32_t factor, int32_t *h)
{
    int u;
    for (u = 0; u < WIDTH; u++)
        h[u] += factor * w[u];
}
#endif

#if NUMBERS
static void add_numbers(const int32_t *row, int32_t *h)
{
    int j;
    for (j = 0; j < NUMBERS; j++) {
        int32_t x = number(row, j), low = number_center[j];
        uint32_t size = x < low ? (uint32_t)low - (uint32_t)x : (uint32_t)x - (uint32_t)low;
        int32_t factor = scaled(clipped(size, (uint32_t)number_third[j]), clip_factors[j], 30);
        add(clip_weights + j * WIDTH, x < low ? -factor : factor, h);
    }
}
#endif

#if BINNED
/* between the rows of weights of the edges next to a number */
static void add_bins(const int32_t *row, int32_t *h)
{
    int b;
    for (b = 0; b < BINNED; b++) {
        int32_t x = number(row, binned[b]), low, high, part;
        int at = starts[b], last = starts[b + 1] - 2;
        while (at < last && x >= edges[at + 1])
            at++;
        low = edges[at];
        high = edges[at + 1];
        part = x <= low ? 0 : x >= high ? ONE : ratio((uint32_t)x - (uint32_t)low, (uint32_t)high - (uint32_t)low);
        part = scaled(part, value_factors[b], 30);
        add(value_weights + at * WIDTH, value_factors[b] - part, h);
        add(value_weights + (at + 1) * WIDTH, part, h);
    }
}
#endif

#if WITH_MISSING
static void add_missing(const int32_t *row, int32_t *h)
{
    int i;
    for (i = 0; i < WITH_MISSING; i++)
        if (row[NUMERIC(with_missing[i])] == SKLKD_MISSING)
            add(missing_weights + i * WIDTH, missing_factors[i], h);
}
#endif

#if CATEGORICAL
static void add_categories(const int32_t *row, int32_t *h)
{
    int i;
    for (i = 0; i < CATEGORICAL; i++) {
        int32_t code = row[categorical[i]];
        int known = category_starts[i + 1] - category_starts[i] - 2;
        int category = code == SKLKD_MISSING ? known : code >= 0 && code < known ? (int)code : known + 1;
        add(category_weights + category_rows[category_starts[i] + category] * WIDTH, category_factors[i], h);
    }
}
#endif

#if HIDDEN
/* x / (1 + exp(-x)), times the scales of the weights that follow, in the unit of the sums that follow */
static void silu(int32_t *h, int width, int unit, const int32_t *gain, int shift)
{
    int k;
    for (k = 0; k < width; k++)
        h[k] = scaled(scaled(h[k], sigmoid(h[k], unit), 30), gain[k], shift);
}

static void layer(const int8_t *w, const int32_t *b, int inputs, int outputs, const int32_t *x, int32_t *y)
{
    int i, u;
    for (u = 0; u < outputs; u++) {
        int32_t sum = b[u];
        for (i = 0; i < inputs; i++)
            sum += x[i] * *w++;
        y[u] = sum;
    }
}

static void swap(int32_t **a, int32_t **b)
{
    int32_t *kept = *a;
    *a = *b;
    *b = kept;
}
#endif

/* from the last layer's sums to what the caller gets */
static void finish(int32_t *y, int32_t *out)
{
    int k;
#if ORDERED
    int32_t least[SKLKD_OUTPUTS]; /* quantiles do not cross */
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        int i = k;
        for (; i > 0 && least[i - 1] > y[k]; i--)
            least[i] = least[i - 1];
        least[i] = y[k];
    }
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        y[k] = least[target_order[k]];
#endif
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
#if CLASSES
        out[k] = y[k];
#elif UNIT
        out[k] = sigmoid(scaled(y[k], target_gain[k], 30) + target_offset[k], LAST_UNIT);
#elif POSITIVE
        /* an exponential up to the bend, then its tangent */
        int32_t u = scaled(y[k], target_gain[k], 30), capped = u < target_bend[k] ? u : target_bend[k], value;
        int64_t power = (int64_t)(capped < LEAST_LOG ? LEAST_LOG : capped) * LOG2_E;
        int shift = target_shift[k] + 30 - (int)(power >> (LAST_UNIT + 30));
        value = polynomial(power_of_2, POWER_DEGREE, (int32_t)((power >> LAST_UNIT) & (ONE - 1)));
        value = scaled(value, target_factor[k], shift < 62 ? shift : 62);
        if (u > capped)
            value += (int32_t)((int64_t)value * (u - capped) >> LAST_UNIT);
        out[k] = value > 1 ? value : 1;
#else
        out[k] = target_offset[k] + scaled(y[k], target_factor[k], target_shift[k]);
#endif
    }
}

#if CLASSES
int sklkd_label(const int32_t *out)
{
#if THRESHOLD
    return (int64_t)out[1] - out[0] >= LEAST_DIFFERENCE;
#else
    int k, label = 0;
    for (k = 1; k < SKLKD_OUTPUTS; k++)
        label = out[k] > out[label] ? k : label;
    return label;
#endif
}
#endif

/* a layer after the first */
#define LAYER(w, b, gain, inputs, outputs, unit, shift) \
    silu(h, inputs, unit, gain, shift); \
    layer(w, b, inputs, outputs, h, next); \
    swap(&h, &next);

void sklkd_predict_one(const int32_t *row, int32_t *out)
{
    int32_t sums[2 * WIDEST], *h = sums, *next = sums + WIDEST;
    memcpy(h, bias, sizeof bias);
#if NUMBERS
    add_numbers(row, h);
#endif
#if BINNED
    add_bins(row, h);
#endif
#if WITH_MISSING
    add_missing(row, h);
#endif
#if CATEGORICAL
    add_categories(row, h);
#endif
    LAYERS(LAYER)
    finish(h, out);
    (void)next;
}

void sklkd_predict(const int32_t *rows, size_t n, int32_t *out)
{
    for (; n > 0; n--, rows += SKLKD_FEATURES, out += SKLKD_OUTPUTS)
        sklkd_predict_one(rows, out);
}
