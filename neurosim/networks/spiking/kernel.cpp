// The sequence of spiking neurons of sequence.py, forward and backward, for float and double on the CPU.
// Arrays are (time, batch, unit) and contiguous; coefficients are one number a unit. State goes in and comes out in place.
// Built without contraction of a * b + c, so that every rounding is that of the plain torch engine.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace {

enum Reset { SUBTRACT, ZERO, CLEAR, NONE };
enum Surrogate { ATAN, FAST_SIGMOID, SIGMOID, TRIANGULAR, STRAIGHT_THROUGH };
constexpr int64_t BLOCK = 1024;

template <typename T>
struct Coefficients {
    const T *beta, *threshold, *alpha, *rho, *rise;
};

template <typename T, int S>
inline T derivative(T x, T slope) {
    if (S == ATAN) {
        const T scaled = x * T(1.5707963267948966 * double(slope));
        return (slope / 2) / (scaled * scaled + T(1));
    }
    if (S == FAST_SIGMOID) {
        const T width = std::fabs(x) * slope + T(1);
        return T(1) / (width * width);
    }
    if (S == SIGMOID) {
        const T step = T(1) / (T(1) + std::exp(-x * slope));
        return slope * step * (T(1) - step);
    }
    if (S == TRIANGULAR) return std::max(T(1) - std::fabs(x * slope), T(0)) * slope;
    return slope;
}

template <typename T, int R, bool CURRENT, bool ADAPTS>
void forward_block(int64_t steps, int64_t stride, int64_t n, const T *x, T *v, T *i, T *a, T *s, T *spikes,
                   T *distance, Coefficients<T> c) {
    for (int64_t t = 0; t < steps; ++t, x += stride, spikes += stride, distance += stride) {
#pragma omp simd
        for (int64_t k = 0; k < n; ++k) {
            T drive = x[k];
            if (CURRENT) drive = i[k] = i[k] * c.alpha[k] + drive;
            T membrane = v[k];
            if (R == ZERO) membrane *= T(1) - s[k];
            membrane = membrane * c.beta[k] + drive;
            if (R == SUBTRACT) membrane -= s[k] * c.threshold[k];
            if (R == CLEAR) membrane -= s[k] * membrane;
            T threshold = c.threshold[k];
            if (ADAPTS) {
                a[k] = a[k] * c.rho[k] + s[k];
                threshold = a[k] * c.rise[k] + threshold;
            }
            v[k] = membrane;
            distance[k] = membrane - threshold;
            spikes[k] = s[k] = distance[k] > 0 ? T(1) : T(0);
        }
    }
}

template <typename T, int R, bool CURRENT, bool ADAPTS, int S>
void backward_block(int64_t steps, int64_t stride, int64_t n, const T *grad, const T *distance, const T *before,
                    T *to_v, T *to_i, T *to_a, T *found, T slope, Coefficients<T> c) {
    for (int64_t t = steps - 1; t >= 0; --t) {
        const T *g = grad + t * stride, *d = distance + t * stride, *earlier = d - stride;
        T *out = found + t * stride;
#pragma omp simd
        for (int64_t k = 0; k < n; ++k) {
            T to_spike = g[k];
            if (ADAPTS) to_spike += to_a[k];
            const T now = derivative<T, S>(d[k], slope) * to_spike;
            T membrane = to_v[k] * c.beta[k] + now;
            if (ADAPTS) to_a[k] = to_a[k] * c.rho[k] - now * c.rise[k];
            T drive = membrane;
            if (R == ZERO || R == CLEAR) {
                const T kept = T(1) - (t > 0 ? (earlier[k] > 0 ? T(1) : T(0)) : before[k]);
                if (R == CLEAR) drive = membrane * kept;
                membrane *= kept;
            }
            to_v[k] = membrane;
            if (CURRENT) drive = to_i[k] = to_i[k] * c.alpha[k] + drive;
            out[k] = drive;
        }
    }
}

template <typename Work>
void over_blocks(int threads, int64_t batch, int64_t units, Work work) {
    const int64_t parts = (units + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t p = 0; p < batch * parts; ++p) {
        const int64_t unit = (p % parts) * BLOCK;
        work((p / parts) * units + unit, unit, std::min(BLOCK, units - unit));
    }
}

template <typename T>
Coefficients<T> at(Coefficients<T> c, int64_t k) {
    return {c.beta + k, c.threshold + k, c.alpha + k, c.rho + k, c.rise + k};
}

template <typename T, int R, bool CURRENT, bool ADAPTS>
void forward(int threads, int64_t steps, int64_t batch, int64_t units, const T *x, T *v, T *i, T *a, T *s, T *spikes, T *distance,
             Coefficients<T> c) {
    over_blocks(threads, batch, units, [=](int64_t lane, int64_t unit, int64_t n) {
        forward_block<T, R, CURRENT, ADAPTS>(steps, batch * units, n, x + lane, v + lane, i + lane, a + lane, s + lane,
                                             spikes + lane, distance + lane, at(c, unit));
    });
}

template <typename T, int R, bool CURRENT, bool ADAPTS, int S>
void backward(int threads, int64_t steps, int64_t batch, int64_t units, const T *grad, const T *distance, const T *before, T *to_v,
              T *to_i, T *to_a, T *found, T slope, Coefficients<T> c) {
    over_blocks(threads, batch, units, [=](int64_t lane, int64_t unit, int64_t n) {
        backward_block<T, R, CURRENT, ADAPTS, S>(steps, batch * units, n, grad + lane, distance + lane, before + lane,
                                                 to_v + lane, to_i + lane, to_a + lane, found + lane, slope,
                                                 at(c, unit));
    });
}

template <typename F>
void with_reset(int reset, F f) {
    if (reset == SUBTRACT) f(std::integral_constant<int, SUBTRACT>());
    if (reset == ZERO) f(std::integral_constant<int, ZERO>());
    if (reset == CLEAR) f(std::integral_constant<int, CLEAR>());
    if (reset == NONE) f(std::integral_constant<int, NONE>());
}

template <typename F>
void with_surrogate(int surrogate, F f) {
    if (surrogate == ATAN) f(std::integral_constant<int, ATAN>());
    if (surrogate == FAST_SIGMOID) f(std::integral_constant<int, FAST_SIGMOID>());
    if (surrogate == SIGMOID) f(std::integral_constant<int, SIGMOID>());
    if (surrogate == TRIANGULAR) f(std::integral_constant<int, TRIANGULAR>());
    if (surrogate == STRAIGHT_THROUGH) f(std::integral_constant<int, STRAIGHT_THROUGH>());
}

template <typename F>
void with_memories(int current, int adapts, F f) {
    using Yes = std::true_type;
    using No = std::false_type;
    if (current && adapts) f(Yes(), Yes());
    if (current && !adapts) f(Yes(), No());
    if (!current && adapts) f(No(), Yes());
    if (!current && !adapts) f(No(), No());
}

}  // namespace

#define NEUROSIM_SEQUENCE(T, NAME)                                                                                     \
    extern "C" void forward_##NAME(int threads, int reset, int current, int adapts, int64_t steps, int64_t batch, int64_t units,    \
                                   const T *x, T *v, T *i, T *a, T *s, T *spikes, T *distance, const T *beta,          \
                                   const T *threshold, const T *alpha, const T *rho, const T *rise) {                  \
        const Coefficients<T> c{beta, threshold, alpha, rho, rise};                                                    \
        with_reset(reset, [=](auto r) {                                                                                \
            with_memories(current, adapts, [=](auto m, auto d) {                                                       \
                forward<T, decltype(r)::value, decltype(m)::value, decltype(d)::value>(threads, steps, batch, units, x, v, i,   \
                                                                                       a, s, spikes, distance, c);     \
            });                                                                                                        \
        });                                                                                                            \
    }                                                                                                                  \
    extern "C" void backward_##NAME(int threads, int reset, int current, int adapts, int surrogate, T slope, int64_t steps,         \
                                    int64_t batch, int64_t units, const T *grad, const T *distance, const T *before,   \
                                    T *to_v, T *to_i, T *to_a, T *found, const T *beta, const T *threshold,            \
                                    const T *alpha, const T *rho, const T *rise) {                                     \
        const Coefficients<T> c{beta, threshold, alpha, rho, rise};                                                    \
        with_reset(reset, [=](auto r) {                                                                                \
            with_memories(current, adapts, [=](auto m, auto d) {                                                       \
                with_surrogate(surrogate, [=](auto k) {                                                                \
                    backward<T, decltype(r)::value, decltype(m)::value, decltype(d)::value, decltype(k)::value>(       \
                        threads, steps, batch, units, grad, distance, before, to_v, to_i, to_a, found, slope, c);               \
                });                                                                                                    \
            });                                                                                                        \
        });                                                                                                            \
    }

NEUROSIM_SEQUENCE(float, float32)
NEUROSIM_SEQUENCE(double, float64)
