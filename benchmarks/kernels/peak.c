/* Prints the peak of multiply-adds in GFLOP/s and of reading memory in GB/s. Usage: peak [threads] */
#include <stdio.h>
#include <stdlib.h>

#include "peak.h"

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 2;
    printf("%.1f %.1f\n", peak_gflops(threads), memory_gigabytes(threads));
    return 0;
}
