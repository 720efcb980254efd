/*
 * Times every convolution of BLAN (width 64, 256x256) and prints milliseconds an image, GFLOP/s counted as a direct
 * convolution, and the share of the measured peak of multiply-adds (above 100 % where Winograd saves arithmetic).
 * Weights are rotated through enough copies to come from memory, as they do when a whole network runs.
 *
 * Usage: convolutions [forward|data|weights] [threads] [batch] [method: auto|direct|f2|f4] [part of a layer's name]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blan_isa.h"
#include "blan_parallel.h"
#include "layers.h"

enum { COLD_BYTES = 80 << 20, MOST_COPIES = 64, SAMPLES = 9 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float *noise(size_t count)
{
    float *values = aligned_alloc(64, (count * sizeof *values + 63) / 64 * 64 + 64);
    if (values == NULL)
        exit(1);
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / (float)(1 << 24) - 0.5f;
    }
    return values;
}

/* A chain of register-only multiply-adds on the best instruction set, as the peak to compare with. */
enum { PEAK_CHAINS = 12, PEAK_ROUNDS = 4000000 };

#define PEAK(name, attribute, width)                                                                                  \
    attribute static float name(void)                                                                                 \
    {                                                                                                                 \
        typedef float vector __attribute__((vector_size(width * 4)));                                                 \
        vector sums[PEAK_CHAINS] = {0}, x = (vector){0} + 0.5f, y = (vector){0} + 1e-9f;                                       \
        for (size_t round = 0; round < PEAK_ROUNDS; round++) {                                                        \
            _Pragma("clang loop unroll(full)") for (size_t i = 0; i < PEAK_CHAINS; i++) sums[i] = sums[i] * x + y;             \
        }                                                                                                             \
        float total = 0;                                                                                              \
        for (size_t i = 0; i < PEAK_CHAINS; i++)                                                                               \
            total += sums[i][0];                                                                                      \
        return total;                                                                                                 \
    }
PEAK(peak_avx512, __attribute__((target("avx512f"))), 16)
PEAK(peak_avx2, __attribute__((target("avx2,fma"))), 8)
PEAK(peak_portable, , 4)

static void peak_task(void *context, size_t index, size_t worker)
{
    (void)worker;
    float *sums = context;
    const blan_k_isa isa = blan_k_isa_current();
    sums[index * 16] = isa == BLAN_K_ISA_AVX512 ? peak_avx512() : isa == BLAN_K_ISA_AVX2 ? peak_avx2() : peak_portable();
}

static double peak_gflops(int threads)
{
    const double width = blan_k_isa_current() == BLAN_K_ISA_AVX512 ? 16 : blan_k_isa_current() == BLAN_K_ISA_AVX2 ? 8 : 4;
    float *sums = noise((size_t)threads * 16);
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        const double start = now();
        blan_k_parallel_for(threads, (size_t)threads, peak_task, sums);
        const double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    free(sums);
    return 2.0 * width * PEAK_CHAINS * PEAK_ROUNDS * threads / best * 1e-9;
}

typedef enum { FORWARD, DATA, WEIGHTS } direction;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t blocked(size_t channels) { return (channels + 15) / 16 * 16; }

/* Median and smallest seconds of one call. */
static double time_layer(const blan_k_conv_shape *s, direction what, blan_k_conv_method method, int threads,
                         double *smallest)
{
    const size_t out_area = blan_k_conv_out_height(s) * blan_k_conv_out_width(s);
    size_t in_counts[2];
    for (size_t i = 0; i < 2; i++)
        in_counts[i] = s->batch * blocked(s->in_channels[i]) * (s->in_height / s->in_upsample[i]) *
                       (s->in_width / s->in_upsample[i]);
    float *in0 = noise(in_counts[0]), *in1 = noise(in_counts[1]);
    float *out = noise(s->batch * blocked(s->out_channels) * out_area), *bias = noise(blocked(s->out_channels));
    const size_t weight_count = s->out_channels * (s->in_channels[0] + s->in_channels[1]) * s->kernel * s->kernel;
    const size_t packed_count = what == FORWARD ? blan_k_conv_packed_count(s, method)
                                : what == DATA  ? blan_k_conv_backward_packed_count(s, method)
                                                : weight_count;
    const size_t workspace_count = what == FORWARD ? blan_k_conv_workspace_count(s, method, threads)
                                   : what == DATA  ? blan_k_conv_backward_workspace_count(s, method, threads)
                                                   : blan_k_conv_backward_weights_workspace_count(s, threads);
    size_t copies = COLD_BYTES / (packed_count * sizeof(float)) + 2;
    copies = copies > MOST_COPIES ? MOST_COPIES : copies;
    float *packed = noise(packed_count * copies), *workspace = noise(workspace_count);
    double samples[SAMPLES];
    size_t turn = 0, calls = 1;
    for (int sample = -1; sample < SAMPLES; sample++) {
        const double start = now();
        for (size_t call = 0; call < calls; call++, turn++) {
            float *current = packed + turn % copies * packed_count;
            if (what == FORWARD)
                blan_k_conv_forward(s, method, out, in0, in1, current, bias, NULL, true, workspace, threads);
            else if (what == DATA)
                blan_k_conv_backward_data(s, method, in0, in1, false, false, out, current, workspace, threads);
            else
                blan_k_conv_backward_weights(s, current, NULL, false, in0, in1, out, workspace, threads);
        }
        const double seconds = (now() - start) / (double)calls;
        if (sample < 0) /* the first call warms up, and tells how many make a measurable sample */
            calls = (size_t)(0.02 / seconds) + 1;
        else
            samples[sample] = seconds;
    }
    qsort(samples, SAMPLES, sizeof *samples, by_value);
    free(in0), free(in1), free(out), free(bias), free(packed), free(workspace);
    *smallest = samples[0];
    return samples[SAMPLES / 2];
}

int main(int argc, char **argv)
{
    const direction what = argc > 1 && strcmp(argv[1], "data") == 0      ? DATA
                           : argc > 1 && strcmp(argv[1], "weights") == 0 ? WEIGHTS
                                                                         : FORWARD;
    const int threads = argc > 2 ? atoi(argv[2]) : 2;
    const size_t batch = argc > 3 ? (size_t)atoi(argv[3]) : 1;
    const char *forced = argc > 4 ? argv[4] : "auto", *part = argc > 5 ? argv[5] : "";
    const double peak = peak_gflops(threads);
    printf("%s, %d threads, batch %zu, %s, peak %.0f GFLOP/s; milliseconds an image\n",
           what == FORWARD ? "forward" : what == DATA ? "input gradient" : "weight gradient", threads, batch,
           blan_k_isa_name(), peak);
    printf("%-24s %5s %-7s %8s %8s %9s %7s\n", "layer", "times", "method", "median", "least", "GFLOP/s", "of peak");
    double total = 0, flops = 0;
    for (size_t i = 0; i < LAYER_COUNT; i++) {
        blan_k_conv_shape s = layers[i].shape;
        if (strstr(layers[i].name, part) == NULL || (layers[i].training_only && what == FORWARD && batch == 1))
            continue;
        s.batch = batch;
        const bool winograd = s.kernel == 3 && s.stride == 1 && (what == FORWARD || s.in_upsample[1] == 1);
        blan_k_conv_method method = what == DATA ? blan_k_conv_backward_choose(&s, threads)
                                                 : blan_k_conv_choose(&s, threads);
        if (strcmp(forced, "direct") == 0)
            method = BLAN_K_CONV_DIRECT;
        else if (winograd && strcmp(forced, "auto") != 0)
            method = strcmp(forced, "f2") == 0 ? BLAN_K_CONV_WINOGRAD2 : BLAN_K_CONV_WINOGRAD4;
        double least;
        const double median = time_layer(&s, what, method, threads, &least);
        const double work = 2.0 * (double)(batch * s.out_channels * blan_k_conv_out_height(&s) *
                                           blan_k_conv_out_width(&s) * (s.in_channels[0] + s.in_channels[1]) *
                                           s.kernel * s.kernel);
        static const char *const names[] = {"direct", "F(2x2)", "F(4x4)"};
        printf("%-24s %5zu %-7s %8.3f %8.3f %9.0f %6.0f%%\n", layers[i].name, layers[i].times,
               what == WEIGHTS ? "-" : names[method], median * 1e3 / (double)batch, least * 1e3 / (double)batch,
               work / median * 1e-9, 100 * work / median * 1e-9 / peak);
        total += (double)layers[i].times * median;
        flops += (double)layers[i].times * work;
    }
    printf("%-24s %5s %-7s %8.2f %8s %9.0f %6.0f%%\n", "all, times counted", "", "", total * 1e3 / (double)batch, "",
           flops / total * 1e-9, 100 * flops / total * 1e-9 / peak);
    return 0;
}
