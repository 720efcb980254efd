/*
 * Times every convolution of BLAN and prints milliseconds an image, GFLOP/s counted as a direct convolution, and the
 * share of the measured peak of multiply-adds (above 100 % where Winograd saves arithmetic). Weights are rotated
 * through enough copies to come from memory, as they do when a whole network runs. `step` adds up what a training step
 * does with every layer: packing for both directions, forward, both gradients.
 *
 * Usage: convolutions [forward|data|weights|pack|step] [threads] [batch] [method: auto|direct|f4|taps] [width] [size]
 *        [part of a layer's name]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blan_isa.h"
#include "blan_parallel.h"
#include "layers.h"
#include "peak.h"
#include "timing.h"

enum { COLD_BYTES = 80 << 20, MOST_COPIES = 64 };

typedef enum { FORWARD, DATA, WEIGHTS, PACK, STEP } direction;

static size_t blocked(size_t channels) { return (channels + 15) / 16 * 16; }

typedef struct layer_context {
    const blan_k_conv_shape *shape;
    direction what;
    blan_k_conv_method method, backward_method;
    int threads;
    float *in0, *in1, *out, *bias, *packed, *workspace, *weights;
    size_t packed_count, backward_count, copies, turn;
} layer_context;

static void call_layer(void *context)
{
    layer_context *c = context;
    float *current = c->packed + c->turn++ % c->copies * c->packed_count;
    if (c->what == FORWARD)
        blan_k_conv_forward(c->shape, c->method, c->out, c->in0, c->in1, current, c->bias, NULL, true, c->workspace,
                            c->threads);
    else if (c->what == DATA)
        blan_k_conv_backward_data(c->shape, c->method, c->in0, c->in1, false, false, c->out, current, c->workspace,
                                  c->threads);
    else if (c->what == WEIGHTS)
        blan_k_conv_backward_weights(c->shape, current, NULL, false, c->in0, c->in1, c->out, c->workspace,
                                     c->threads);
    else {
        blan_k_conv_pack(c->shape, c->method, c->weights, NULL, current, c->threads);
        blan_k_conv_backward_pack(c->shape, c->backward_method, c->weights,
                                  current + c->packed_count - c->backward_count, c->threads);
    }
}

/* Median and smallest seconds of one call. */
static double time_layer(const blan_k_conv_shape *s, direction what, blan_k_conv_method method, int threads,
                         double *smallest)
{
    const size_t out_area = blan_k_conv_out_height(s) * blan_k_conv_out_width(s);
    size_t in_counts[2];
    for (size_t i = 0; i < 2; i++)
        in_counts[i] = s->batch * blocked(s->in_channels[i]) * (s->in_height / s->in_upsample[i]) *
                       (s->in_width / s->in_upsample[i]);
    const size_t weight_count = s->out_channels * (s->in_channels[0] + s->in_channels[1]) * s->kernel * s->kernel;
    layer_context c = {.shape = s,
                       .what = what,
                       .method = method,
                       .backward_method = what == DATA ? method : blan_k_conv_backward_choose(s),
                       .threads = threads};
    c.backward_count = blan_k_conv_backward_packed_count(s, c.backward_method);
    c.packed_count = what == FORWARD ? blan_k_conv_packed_count(s, method)
                     : what == DATA  ? c.backward_count
                     : what == PACK  ? blan_k_conv_packed_count(s, method) + c.backward_count
                                     : weight_count;
    const size_t workspace_count = what == FORWARD   ? blan_k_conv_workspace_count(s, method, threads)
                                   : what == DATA    ? blan_k_conv_backward_workspace_count(s, method, threads)
                                   : what == WEIGHTS ? blan_k_conv_backward_weights_workspace_count(s, threads)
                                                     : 0;
    c.copies = COLD_BYTES / (c.packed_count * sizeof(float)) + 2;
    c.copies = c.copies > MOST_COPIES ? MOST_COPIES : c.copies;
    c.in0 = noise(in_counts[0]), c.in1 = noise(in_counts[1]);
    c.out = noise(s->batch * blocked(s->out_channels) * out_area), c.bias = noise(blocked(s->out_channels));
    c.packed = noise(c.packed_count * c.copies), c.workspace = noise(workspace_count);
    c.weights = noise(weight_count);
    const double median = time_call(call_layer, &c, smallest);
    free(c.in0), free(c.in1), free(c.out), free(c.bias), free(c.packed), free(c.workspace), free(c.weights);
    return median;
}

static const char *const direction_names[] = {"forward", "data", "weights", "pack", "step"};

typedef struct totals {
    double median, least, flops;
} totals;

/* Times one direction of every layer whose name holds `part`; prints a line for each unless `quiet`. */
static totals run(direction what, int threads, size_t batch, const char *forced, size_t width, size_t size,
                  const char *part, double peak, bool quiet)
{
    totals sum = {0, 0, 0};
    for (size_t i = 0; i < LAYER_COUNT; i++) {
        if (strstr(layers[i].name, part) == NULL || (layers[i].training_only && what == FORWARD && batch == 1))
            continue;
        const blan_k_conv_shape s = layer_shape(&layers[i], batch, width, size);
        const bool winograd = s.kernel == 3 && s.stride == 1;
        blan_k_conv_method method = what == DATA ? blan_k_conv_backward_choose(&s)
                                                 : blan_k_conv_choose(&s);
        if (strcmp(forced, "direct") == 0)
            method = BLAN_K_CONV_DIRECT;
        else if (winograd && strcmp(forced, "auto") != 0)
            method = strcmp(forced, "f4") == 0 ? BLAN_K_CONV_WINOGRAD4 : BLAN_K_CONV_WINOGRAD4_TAPS;
        double least;
        const double median = time_layer(&s, what, method, threads, &least);
        const double work = what == PACK ? 0
                                         : 2.0 * (double)(s.batch * s.out_channels * blan_k_conv_out_height(&s) *
                                                          blan_k_conv_out_width(&s) *
                                                          (s.in_channels[0] + s.in_channels[1]) * s.kernel * s.kernel);
        static const char *const names[] = {"direct", "F(2x2)", "F(4x4)", "taps", "strided"};
        if (!quiet)
            printf("%-24s %5zu %-7s %8.3f %8.3f %9.0f %6.0f%%\n", layers[i].name, layers[i].times,
                   what == WEIGHTS ? "-" : names[method], median * 1e3 / (double)batch, least * 1e3 / (double)batch,
                   work / median * 1e-9, 100 * work / median * 1e-9 / peak);
        sum.median += (double)layers[i].times * median;
        sum.least += (double)layers[i].times * least;
        sum.flops += (double)layers[i].times * work;
    }
    return sum;
}

static void print_totals(const char *name, totals sum, size_t batch, double peak)
{
    printf("%-24s %5s %-7s %8.3f %8.3f %9.0f %6.0f%%\n", name, "", "", sum.median * 1e3 / (double)batch,
           sum.least * 1e3 / (double)batch, sum.flops / sum.median * 1e-9, 100 * sum.flops / sum.median * 1e-9 / peak);
}

int main(int argc, char **argv)
{
    direction what = FORWARD;
    for (direction d = FORWARD; argc > 1 && d <= STEP; d++)
        if (strcmp(argv[1], direction_names[d]) == 0)
            what = d;
    const int threads = argc > 2 ? atoi(argv[2]) : 2;
    const size_t batch = argc > 3 ? (size_t)atoi(argv[3]) : 1;
    const char *forced = argc > 4 ? argv[4] : "auto", *part = argc > 7 ? argv[7] : "";
    const size_t width = argc > 5 ? (size_t)atoi(argv[5]) : 64, size = argc > 6 ? (size_t)atoi(argv[6]) : 256;
    const double peak = peak_gflops(threads);
    printf("%s, %d threads, batch %zu, width %zu, %zux%zu, %s, peak %.0f GFLOP/s; milliseconds an image\n",
           direction_names[what], threads, batch, width, size, size, blan_k_isa_name(), peak);
    printf("%-24s %5s %-7s %8s %8s %9s %7s\n", "layer", "times", "method", "median", "least", "GFLOP/s", "of peak");
    if (what != STEP) {
        print_totals("all, times counted", run(what, threads, batch, forced, width, size, part, peak, false), batch,
                     peak);
        return 0;
    }
    totals all = {0, 0, 0};
    for (direction d = FORWARD; d < STEP; d++) {
        const totals sum = run(d, threads, batch, forced, width, size, part, peak, true);
        print_totals(direction_names[d], sum, batch, peak);
        all = (totals){all.median + sum.median, all.least + sum.least, all.flops + sum.flops};
    }
    print_totals("all", all, batch, peak);
    return 0;
}
