/* @ABOUT@ */
#include <math.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "missing values are NAN, which -ffast-math leaves out: compile without it"
#endif

/* @INTERFACE@ */

/* @DATA@ */

/* parts of dates stand behind the columns of a row */
#define COLUMNS (SKLKD_FEATURES + DATE_PARTS)

#if DATE_PARTS
/* @DATES@ */
#endif

#if CATEGORICAL
/* which of the levels that are kept, of the student's own, a category is */
static int level(const sklkd_real *x, int i)
{
    sklkd_real code = x[categorical[i]];
    int known = level_starts[i + 1] - level_starts[i] - 2;
    int category = code != code ? known : code >= 0 && code < (sklkd_real)known ? (int)code : known + 1;
    return levels[level_starts[i] + category];
}
#endif

/* what column j of the student's own is: a number, whether one is missing, or whether a category is one of the levels */
static sklkd_real encoded(const sklkd_real *x, int j)
{
#if NUMBERS
    if (j < NUMBERS) {
        sklkd_real number = x[numeric[j]];
#if SHIFTED
        number = (number - number_zero[j]) / number_unit[j];
#endif
#if FILLED
        number = number != number ? number_fill[j] : number;
#endif
        return number;
    }
#endif
#if INDICATORS
    if (j < NUMBERS + INDICATORS)
        return x[with_missing[j - NUMBERS]] != x[with_missing[j - NUMBERS]];
#endif
#if CATEGORICAL
    return level(x, hot_column[j - NUMBERS - INDICATORS]) == hot_level[j - NUMBERS - INDICATORS];
#else
    return 0;
#endif
}

/* 0, or NAN for a row that gets no prediction */
static sklkd_real refused(const sklkd_real *x)
{
    sklkd_real found = 0;
#if NUMBERS
    int j;
    for (j = 0; j < NUMBERS; j++) {
        sklkd_real number = x[numeric[j]];
#if ALLOW_MISSING
        number = number != number ? 0 : number;
#endif
        found += number - number;
    }
#else
    (void)x;
#endif
    return found;
}

#if TREES
/* an inner node's children are other inner nodes, or leaves, of which -1 is the first, -2 the next */
static void sums(const sklkd_real *x, sklkd_real *sum)
{
    int t, k;
    for (k = 0; k < SUMS; k++)
        sum[k] = 0;
    for (t = 0; t < TREES; t++) {
        int at = roots[t];
#if INNER
        while (at >= 0) {
            compared number = (compared)encoded(x, feature[at]);
            at = number <= threshold_of_node[at] || (number != number && MISSING_LEFT(at)) ? left[at] : right[at];
        }
#endif
        for (k = 0; k < SUMS; k++)
            sum[k] += leaves[(-1 - at) * SUMS + k];
    }
    for (k = 0; k < SUMS; k++)
        sum[k] = sum[k] / DIVISOR + base[k];
    (void)encoded; /* trees of one leaf read no column */
    (void)x;
}
#else
static void sums(const sklkd_real *x, sklkd_real *sum)
{
    int j, k;
    for (k = 0; k < SUMS; k++)
        sum[k] = base[k];
    for (j = 0; j < ENCODED; j++) {
        sklkd_real number = encoded(x, j);
        if (number != 0)
            for (k = 0; k < SUMS; k++)
                sum[k] += number * weights[j * SUMS + k];
    }
}
#endif

#if SOFTMAX || CALIBRATED
static void softmax(sklkd_real *y)
{
    sklkd_real most = y[0], total = 0;
    int k;
    for (k = 1; k < SKLKD_OUTPUTS; k++)
        most = y[k] > most ? y[k] : most;
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        y[k] = (sklkd_real)exp((double)(y[k] - most));
        total += y[k];
    }
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        y[k] /= total;
}
#endif

#if EXPIT
static sklkd_real expit(sklkd_real x)
{
    return 1 / (1 + (sklkd_real)exp(-(double)x));
}
#endif

/* from sums to what the caller gets */
static void finish(const sklkd_real *sum, sklkd_real bad, sklkd_real *out)
{
    int k;
#if SECOND_OF_TWO
    out[1] = expit(sum[0]);
    out[0] = 1 - out[1];
#else
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = LINK(sum[k]);
#endif
#if ONE_BY_ONE
    {
        sklkd_real total = 0;
        for (k = 0; k < SKLKD_OUTPUTS; k++)
            total += out[k];
        for (k = 0; k < SKLKD_OUTPUTS; k++)
            out[k] /= total;
    }
#endif
#if SOFTMAX
    softmax(out);
#endif
#if CALIBRATED
    {
        sklkd_real logits[SKLKD_OUTPUTS];
        int i;
        for (k = 0; k < SKLKD_OUTPUTS; k++)
            logits[k] = out[k] > 0 ? (sklkd_real)log((double)out[k]) : LEAST_LOG;
        for (k = 0; k < SKLKD_OUTPUTS; k++) {
            out[k] = calibration_bias[k];
            for (i = 0; i < SKLKD_OUTPUTS; i++)
                out[k] += logits[i] * calibration_weight[i * SKLKD_OUTPUTS + k];
        }
        softmax(out);
    }
#endif
#if LIMITED
    for (k = 0; k < SKLKD_OUTPUTS; k++) {
        out[k] = out[k] < least[k] ? least[k] : out[k];
        out[k] = out[k] > MOST ? MOST : out[k];
    }
#endif
#if RESCALED
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = out[k] * target_scale[k] + target_shift[k];
#endif
#if AFTERWARDS
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] = afterwards(out[k]);
#endif
    for (k = 0; k < SKLKD_OUTPUTS; k++)
        out[k] += bad;
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

void sklkd_predict_one(const sklkd_real *x, sklkd_real *out)
{
    sklkd_real sum[SUMS];
#if DATE_PARTS
    sklkd_real wide[COLUMNS];
    int i;
    memcpy(wide, x, SKLKD_FEATURES * sizeof *x);
    for (i = 0; i < DATE_PARTS; i++)
        wide[SKLKD_FEATURES + i] = part_of_date(x[date_columns[i]], date_parts[i]);
    x = wide;
#endif
    sums(x, sum);
    finish(sum, refused(x), out);
}

void sklkd_predict(const sklkd_real *x, size_t n, sklkd_real *out)
{
    for (; n > 0; n--, x += SKLKD_FEATURES, out += SKLKD_OUTPUTS)
        sklkd_predict_one(x, out);
}
