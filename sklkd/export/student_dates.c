/* seconds since 1970 are no floats */
typedef char dates_need_a_double[sizeof(sklkd_real) < 8 ? -1 : 1];

/* days since the last first of March, day of the month, day of the week from Monday on, seconds since midnight */
static double part_of_date(double seconds, int part)
{
    double days = floor(seconds / 86400.0), day = days + 719468.0;
    double of_cycle = day - 146097.0 * floor(day / 146097.0); /* 400 years */
    double leap = floor(of_cycle / 1460.0) - floor(of_cycle / 36524.0) + floor(of_cycle / 146096.0);
    double year = floor((of_cycle - leap) / 365.0);
    double of_year = of_cycle - (365.0 * year + floor(year / 4.0) - floor(year / 100.0));
    double month = floor((5.0 * of_year + 2.0) / 153.0);
    switch (part) {
    case 0: return of_year;
    case 1: return of_year - floor((153.0 * month + 2.0) / 5.0) + 1.0;
    case 2: return days + 3.0 - 7.0 * floor((days + 3.0) / 7.0);
    default: return seconds - 86400.0 * days;
    }
}
