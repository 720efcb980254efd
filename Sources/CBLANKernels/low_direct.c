/*
 * Direct convolution in reduced precision. The pixels that every tap meets from a chunk of output pixels are rounded and
 * gathered, [tap][input block][run][words of four pixels], and multiplied as one matrix with the packed weights.
 */
#include "include/blan_parallel.h"
#include "low_internal.h"

enum {
    CHUNK_BYTES = 256 * 1024, /* aimed at for the gathered pixels of one task: they stay in the L2 cache */
    MOST_CHUNK_RUNS = 12,
    MOST_CHUNK_PIXELS = MOST_CHUNK_RUNS * LOW_RUN,
};

typedef struct schedule {
    size_t pixels, runs;   /* of the batch */
    size_t chunk, chunks;  /* runs in a chunk, and chunks */
    size_t groups, parts;  /* output groups, and the parts that they are cut into */
    size_t gathered_words; /* of one worker */
    size_t product_floats; /* of one worker */
} schedule;

static size_t run_words(const low_problem *p) { return LOW_RUN * p->tiles->words; }

static schedule plan(const low_problem *p, int threads)
{
    const size_t workers = (size_t)(threads < 1 ? 1 : threads), wanted = workers == 1 ? 1 : 2 * workers;
    schedule s = {.pixels = p->conv.batch * p->conv.out_height * p->conv.out_width};
    s.runs = divide_up(s.pixels, LOW_RUN);
    const size_t fitting = CHUNK_BYTES / (p->depth * run_words(p) * sizeof(uint32_t));
    const size_t most = smaller(MOST_CHUNK_RUNS, larger(p->tiles->tile_pixels / LOW_RUN, fitting));
    s.chunk = larger(1, smaller(most, divide_up(s.runs, wanted)));
    s.chunks = divide_up(s.runs, s.chunk);
    s.groups = divide_up(p->out_blocks, p->tiles->tile_blocks);
    s.parts = smaller(s.groups, divide_up(wanted, s.chunks));
    s.gathered_words = p->depth * s.chunk * run_words(p);
    s.product_floats = p->tiles->tile_blocks * s.chunk * LOW_RUN * BLAN_BLOCK;
    return s;
}

size_t blan_k_low_direct_workspace_bytes(const low_problem *problem, int threads)
{
    const schedule s = plan(problem, threads);
    return (s.gathered_words * sizeof(uint32_t) + s.product_floats * sizeof(float)) *
           (size_t)(threads < 1 ? 1 : threads);
}

typedef struct run_task {
    const low_problem *problem;
    const conv_epilogue *epilogue;
    const low_packed *packed;
    uint32_t *gathered;
    float *products;
    schedule schedule;
} run_task;

/* First channel of the pixel of `input` that a tap meets from output pixel number `index`; NULL for padding. */
static const float *source(const conv_problem *conv, const conv_input *input, size_t index, size_t tap)
{
    const size_t area = conv->out_height * conv->out_width, image = index / area;
    const size_t y = index % area / conv->out_width * conv->stride + tap / conv->kernel - conv->padding;
    const size_t x = index % area % conv->out_width * conv->stride + tap % conv->kernel - conv->padding;
    if (y >= conv->in_height || x >= conv->in_width)
        return NULL; /* padding: negative places wrap round to huge ones */
    const size_t height = conv->in_height / input->upsample, width = conv->in_width / input->upsample;
    return input->data + ((image * blocks_of(input->channels) * height + y / input->upsample) * width +
                          x / input->upsample) *
                             BLAN_BLOCK;
}

static void gather(const run_task *task, size_t first_run, size_t runs, uint32_t *gathered)
{
    const low_problem *p = task->problem;
    const conv_problem *conv = &p->conv;
    for (size_t tap = 0; tap < p->taps; tap++)
        for (size_t i = 0, block = 0; i < conv->input_count; block += blocks_of(conv->inputs[i++].channels)) {
            const conv_input *input = &conv->inputs[i];
            const size_t plane = conv->in_height / input->upsample * (conv->in_width / input->upsample) * BLAN_BLOCK;
            uint32_t *out = gathered + (tap * p->in_blocks + block) * runs * run_words(p);
            for (size_t run = 0; run < runs; run++, out += run_words(p)) {
                const float *pixels[LOW_RUN];
                for (size_t t = 0; t < LOW_RUN; t++) {
                    const size_t index = (first_run + run) * LOW_RUN + t;
                    pixels[t] = index < task->schedule.pixels ? source(conv, input, index, tap) : NULL;
                }
                p->tiles->collect(blocks_of(input->channels), out, runs * run_words(p), pixels, plane,
                                  p->integers ? task->packed->input_scale + block * BLAN_BLOCK : NULL);
            }
        }
}

static void run_chunk(void *context, size_t index, size_t worker)
{
    const run_task *task = context;
    const low_problem *p = task->problem;
    const schedule *s = &task->schedule;
    const conv_epilogue *epilogue = task->epilogue;
    const size_t first_run = index / s->parts * s->chunk, part = index % s->parts;
    const size_t runs = smaller(s->chunk, s->runs - first_run), first_pixel = first_run * LOW_RUN;
    const size_t pixels = smaller(runs * LOW_RUN, s->pixels - first_pixel);
    uint32_t *gathered = task->gathered + worker * s->gathered_words;
    float *products = task->products + worker * s->product_floats;
    gather(task, first_run, runs, gathered);

    const size_t area = p->conv.out_height * p->conv.out_width, plane = area * BLAN_BLOCK;
    size_t places[MOST_CHUNK_PIXELS];
    for (size_t i = 0; i < pixels; i++)
        places[i] = ((first_pixel + i) / area * p->out_blocks * area + (first_pixel + i) % area) * BLAN_BLOCK;
    const size_t strip = divide_up(runs, divide_up(runs, p->tiles->tile_pixels / LOW_RUN));
    const size_t block_step = runs * LOW_RUN * BLAN_BLOCK, last_group = s->groups * (part + 1) / s->parts;
    for (size_t group = s->groups * part / s->parts; group < last_group; group++) {
        const size_t first = group * p->tiles->tile_blocks, blocks = smaller(p->tiles->tile_blocks, p->out_blocks - first);
        for (size_t i = 0; i < runs; i += strip)
            p->tiles->multiply(smaller(strip, runs - i) * LOW_RUN, blocks, products + i * LOW_RUN * BLAN_BLOCK, block_step,
                               gathered + i * run_words(p), runs * run_words(p), p->depth,
                               task->packed->words + first * p->depth * p->tiles->words * BLAN_BLOCK,
                               p->integers ? task->packed->start + first * BLAN_BLOCK : NULL);
        for (size_t b = 0; b < blocks; b++) {
            const low_output output = {
                .out = epilogue->out + (first + b) * plane,
                .residual = epilogue->residual != NULL ? epilogue->residual + (first + b) * plane : NULL,
                .bias = epilogue->bias != NULL ? epilogue->bias + (first + b) * BLAN_BLOCK : NULL,
                .scale = p->integers ? task->packed->scale + (first + b) * BLAN_BLOCK : NULL,
                .relu = epilogue->relu,
            };
            p->tiles->finish(pixels, &output, places, products + b * block_step);
        }
    }
}

void blan_k_low_direct_run(const low_problem *problem, const conv_epilogue *epilogue, const low_packed *packed,
                           void *workspace, int threads)
{
    const schedule s = plan(problem, threads);
    run_task task = {
        .problem = problem,
        .epilogue = epilogue,
        .packed = packed,
        .gathered = workspace,
        .products = (float *)workspace + s.gathered_words * (size_t)(threads < 1 ? 1 : threads),
        .schedule = s,
    };
    blan_k_parallel_for(threads, s.chunks * s.parts, run_chunk, &task);
}
