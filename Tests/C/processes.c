/* Training by several processes through the caller's allreduce: here threads, beside one trainer with the whole batch. */
#define _GNU_SOURCE
#include "check.h"
#include "fixture.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 64, FLOATS = 3 * SIZE * SIZE, ATTRIBUTES = 2, BATCH = 4, RANKS = 2, STEPS = 2, MOST = 1 << 22 };

static const char *const names[ATTRIBUTES] = {"bright", "odd"};

/* The sum of the ranks' vectors, for threads. */
static struct {
    pthread_barrier_t barrier;
    float *parts[RANKS];
    float *total;
    size_t counts[RANKS];
    size_t calls;
} shared;

typedef struct rank {
    int32_t rank;
    size_t fails_at; /* the call that this rank's allreduce fails at; 0 = none */
    size_t calls;
    pthread_t caller;
    bool on_own_thread, agrees, is_explained;
    const float *pixels;
    const int8_t *labels;
    blan_status status;
    blan_losses losses;
    float weights[ATTRIBUTES * 5];
} rank;

static int allreduce(float *values, size_t count, void *user)
{
    rank *r = user;
    r->on_own_thread = r->on_own_thread || pthread_equal(pthread_self(), r->caller);
    shared.parts[r->rank] = values;
    shared.counts[r->rank] = count;
    r->calls++;
    pthread_barrier_wait(&shared.barrier);
    r->agrees = r->agrees && shared.counts[0] == shared.counts[1] && count <= MOST;
    if (r->rank == 0)
        for (size_t i = 0; i < count && i < MOST; i++)
            shared.total[i] = shared.parts[0][i] + shared.parts[1][i];
    pthread_barrier_wait(&shared.barrier);
    memcpy(values, shared.total, count * sizeof *values);
    pthread_barrier_wait(&shared.barrier);
    return r->calls == r->fails_at ? 3 : 0;
}

static blan_train_options options(const blan_network_options *network)
{
    blan_train_options options = BLAN_TRAIN_OPTIONS_INIT;
    options.network = network;
    options.threads = 1;
    options.seed = 4;
    options.learning_rate = options.fusion_learning_rate = 1e-5f;
    return options;
}

static blan_network_options network(void)
{
    blan_network_options network = BLAN_NETWORK_OPTIONS_INIT;
    network.input_size = SIZE;
    network.width = 8;
    network.attributes = names;
    network.attribute_count = ATTRIBUTES;
    return network;
}

static void *train(void *user)
{
    rank *r = user;
    const blan_network_options net = network();
    blan_train_options opts = options(&net);
    opts.allreduce = allreduce;
    opts.allreduce_user = r;
    opts.rank = r->rank;
    opts.world_size = RANKS;
    r->caller = pthread_self();
    blan_trainer *trainer = NULL;
    r->status = blan_trainer_create(&opts, &trainer);
    const size_t own = BATCH / RANKS, first = (size_t)r->rank * own;
    for (size_t step = 0; step < STEPS && r->status == BLAN_OK; step++)
        r->status = blan_trainer_step(trainer, r->pixels + first * FLOATS, r->labels + first * ATTRIBUTES, own, &r->losses);
    if (r->status == BLAN_OK)
        r->status = blan_trainer_parameter(trainer, "fusion.weight", r->weights, ATTRIBUTES * 5);
    else
        r->is_explained = strstr(blan_last_error(), "allreduce") != NULL;
    blan_trainer_free(trainer);
    return NULL;
}

static void run(rank ranks[RANKS], size_t fails_at, const float *pixels, const int8_t *labels)
{
    pthread_t threads[RANKS];
    for (int32_t i = 0; i < RANKS; i++) {
        ranks[i] = (rank){.rank = i, .fails_at = fails_at, .agrees = true, .pixels = pixels, .labels = labels};
        CHECK(pthread_create(&threads[i], NULL, train, &ranks[i]) == 0);
    }
    for (size_t i = 0; i < RANKS; i++)
        pthread_join(threads[i], NULL);
}

static void two_trainers_are_one(void)
{
    float *pixels = fixture_floats(BATCH * FLOATS, 5);
    const int8_t labels[BATCH * ATTRIBUTES] = {1, -1, -1, -1, 0, 1, 1, 1};
    const blan_network_options net = network();
    const blan_train_options opts = options(&net);
    blan_trainer *trainer = NULL;
    CHECK_OK(blan_trainer_create(&opts, &trainer));
    blan_losses losses;
    for (size_t step = 0; step < STEPS; step++)
        CHECK_OK(blan_trainer_step(trainer, pixels, labels, BATCH, &losses));
    float weights[ATTRIBUTES * 5];
    CHECK_OK(blan_trainer_parameter(trainer, "fusion.weight", weights, ATTRIBUTES * 5));
    blan_trainer_free(trainer);

    rank ranks[RANKS];
    run(ranks, 0, pixels, labels);
    for (size_t i = 0; i < RANKS; i++) {
        CHECK(ranks[i].status == BLAN_OK && ranks[i].agrees && !ranks[i].on_own_thread);
        CHECK(ranks[i].calls == ranks[0].calls);
        CHECK(fabs(ranks[i].losses.total - losses.total) <= 1e-4 * losses.total);
        for (size_t level = 0; level < 4; level++)
            CHECK(fabs(ranks[i].losses.lmim[level] - losses.lmim[level]) <= 1e-4 * losses.lmim[level]);
        for (size_t w = 0; w < ATTRIBUTES * 5; w++)
            CHECK(fabsf(ranks[i].weights[w] - weights[w]) <= 1e-4f * fabsf(weights[w]));
    }
    CHECK(memcmp(ranks[0].weights, ranks[1].weights, sizeof weights) == 0);

    /* Whichever call fails, create or a step returns IO in every process. */
    const size_t calls = ranks[0].calls;
    for (size_t call = 1; call < calls; call += calls / 5 + 1) {
        run(ranks, call, pixels, labels);
        for (size_t i = 0; i < RANKS; i++)
            CHECK(ranks[i].status == BLAN_ERROR_IO && ranks[i].is_explained);
    }
    free(pixels);
}

static void bad_places_are_refused(void)
{
    const blan_network_options net = network();
    blan_train_options bad = options(&net);
    blan_trainer *trainer = NULL;
    bad.world_size = 2;
    CHECK_REFUSED(blan_trainer_create(&bad, &trainer), BLAN_ERROR_INVALID_ARGUMENT, "allreduce is NULL");
    bad.allreduce = allreduce;
    bad.rank = 2;
    CHECK_REFUSED(blan_trainer_create(&bad, &trainer), BLAN_ERROR_INVALID_ARGUMENT, "rank is 2");
    bad.rank = -1;
    CHECK_REFUSED(blan_trainer_create(&bad, &trainer), BLAN_ERROR_INVALID_ARGUMENT, "rank is -1");
    bad.rank = 0;
    bad.world_size = 0;
    CHECK_REFUSED(blan_trainer_create(&bad, &trainer), BLAN_ERROR_INVALID_ARGUMENT, "world_size is 0");
    /* A program built before these fields existed is alone. */
    bad.world_size = 7;
    bad.struct_size = offsetof(blan_train_options, allreduce);
    CHECK_OK(blan_trainer_create(&bad, &trainer));
    blan_trainer_free(trainer);
}

int main(void)
{
    pthread_barrier_init(&shared.barrier, NULL, RANKS);
    shared.total = malloc(MOST * sizeof *shared.total);
    bad_places_are_refused();
    two_trainers_are_one();
    free(shared.total);
    pthread_barrier_destroy(&shared.barrier);
    return check_end();
}
