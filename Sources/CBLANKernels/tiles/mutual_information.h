/* LMIM's elementwise passes, each over one channel block of a map unless it says otherwise. `real` and `fake` are the
   hidden maps of an image with its own embedding and with the next image's. */
#include "../vector.h"

/* real = relu(fake + real_vector), fake = relu(fake + fake_vector): fake holds the features' part on entry. */
static void lmim_hidden(size_t area, float *restrict real, float *restrict fake, const float *real_vector,
                        const float *fake_vector)
{
    const v16 for_real = v16_load(real_vector), for_fake = v16_load(fake_vector);
    for (size_t i = 0; i < area; i++) {
        const v16 value = v16_load(fake + i * BLAN_BLOCK);
        v16_store(real + i * BLAN_BLOCK, v16_relu(value + for_real));
        v16_store(fake + i * BLAN_BLOCK, v16_relu(value + for_fake));
    }
}

/* scores[i] = weights . map(i), over all channel blocks. */
static void lmim_score(size_t count, size_t blocks, float *restrict scores, const float *restrict map,
                       size_t block_step, const float *restrict weights)
{
    for (size_t i = 0; i < count; i++) {
        v16 sum = v16_splat(0);
        for (size_t block = 0; block < blocks; block++)
            sum += v16_load(map + block * block_step + i * BLAN_BLOCK) * v16_load(weights + block * BLAN_BLOCK);
        scores[i] = v16_sum(sum);
    }
}

/* The score's gradient: d_weights = sum of d_scores * map; then map = d_scores * weights where map > 0, else 0. */
static void lmim_score_backward(size_t area, float *restrict map, const float *restrict d_scores, const float *weights,
                                float *restrict d_weights)
{
    const v16 weight = v16_load(weights), zero = v16_splat(0);
    v16 sum = zero;
    for (size_t i = 0; i < area; i++) {
        const v16 value = v16_load(map + i * BLAN_BLOCK), d_score = v16_splat(d_scores[i]);
        sum += d_score * value;
        v16_store(map + i * BLAN_BLOCK, v16_select(value > zero, d_score * weight, zero));
    }
    v16_store(d_weights, sum);
}

/* Behind the ReLUs: d_real = d_real masked + d_fake masked, and each one's sum over locations. */
static void lmim_hidden_backward(size_t area, float *restrict d_real, const float *restrict d_fake,
                                 const float *restrict real, const float *restrict fake, float *restrict real_sum,
                                 float *restrict fake_sum)
{
    const v16 zero = v16_splat(0);
    v16 for_real = zero, for_fake = zero;
    for (size_t i = 0; i < area; i++) {
        const size_t at = i * BLAN_BLOCK;
        const v16 a = v16_select(v16_load(real + at) > zero, v16_load(d_real + at), zero);
        const v16 b = v16_select(v16_load(fake + at) > zero, v16_load(d_fake + at), zero);
        for_real += a;
        for_fake += b;
        v16_store(d_real + at, a + b);
    }
    v16_store(real_sum, for_real);
    v16_store(fake_sum, for_fake);
}
