// The sequence of spiking neurons of sequence.py, forward and backward, for float and double on the CPU.
// Arrays are (time, lane), a lane being a unit of a stimulus, and contiguous along lanes. A block of lanes runs through
// all steps while its state is in the cache; state goes in and comes out in place, and so do the adjoints of the state.
// Built without contraction of a * b + c, so that every rounding is that of the plain torch engine.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

enum Reset { SUBTRACT, ZERO, CLEAR, NONE };
enum Surrogate { ATAN, FAST_SIGMOID, SIGMOID, TRIANGULAR, STRAIGHT_THROUGH };
enum Number { BETA, THRESHOLD, ALPHA, RHO, RISE, N_NUMBERS };
enum Part { MEMBRANE, CURRENT, ADAPTATION, SPIKES, N_PARTS };
enum Kept { NOTHING, FULL, HALF };
constexpr int64_t ROW = 1024;     // lanes whose scratch stays in the first cache
constexpr int64_t BLOCK = 16384;  // lanes whose state stays in the second

// What a pass is asked, as compiled_engine.py fills it in: steps from `begin` up to `end`. Pointers that a pass has no
// use for are null.
template <typename T>
struct Job {
    int64_t threads, reset, current, adapts, surrogate, kept, begin, end, lanes, units, stride, carried;
    double slope;
    const T *numbers[N_NUMBERS];
    int64_t many[N_NUMBERS];  // 1, or one number a unit
    const T *arriving;        // currents, or gradients of spikes; rows are `stride` apart, 0 where all are the same
    const T *to_membranes;    // gradients of membranes
    T *state[N_PARTS];        // state, or its adjoints
    const T *first[N_PARTS];  // state before the first step
    T *leaving;               // spikes, or gradients of currents
    void *distance;
    T *traces[3];
    T *sums[N_NUMBERS];  // gradients of coefficients, summed over time
};

inline uint32_t bits_of(float x) {
    uint32_t u;
    std::memcpy(&u, &x, sizeof u);
    return u;
}

inline float of_bits(uint32_t u) {
    float x;
    std::memcpy(&x, &u, sizeof x);
    return x;
}

inline uint32_t select(bool which, uint32_t a, uint32_t b) { return (a & -uint32_t(which)) | (b & (uint32_t(which) - 1)); }

// float16 of IEEE 754, rounded to nearest even; without branches, so that it is done for many numbers at once.
inline uint32_t to_half(float x) {
    const uint32_t size = bits_of(x) & 0x7fffffffu, sign = bits_of(x) >> 16 & 0x8000u;
    const uint32_t small = bits_of(of_bits(size) + 0.5f) - 0x3f000000u;  // 0.5 has steps of 2**-24, as small halves do
    const uint32_t normal = (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13;
    const uint32_t finite = select(size < 0x38800000u, small, normal);
    return sign | select(size < 0x477ff000u, finite, select(size > 0x7f800000u, 0x7e00u, 0x7c00u));
}

inline float from_half(uint32_t half) {
    const uint32_t size = half & 0x7fffu, sign = (half & 0x8000u) << 16;
    const uint32_t small = bits_of(float(int32_t(size)) * 5.9604644775390625e-8f);
    const uint32_t large = (size << 13) + select(size < 0x7c00u, 0x38000000u, 0x70000000u);
    return of_bits(sign | select(size < 0x0400u, small, large));
}

// The numbers of a step for a run of lanes: one a unit, repeated so that a row is long however few units there are.
template <typename T>
struct Coefficients {
    std::vector<T> kept[N_NUMBERS];
    int64_t period;

    explicit Coefficients(const Job<T> &job) {
        const bool same = std::all_of(job.many, job.many + N_NUMBERS, [](int64_t n) { return n == 1; });
        period = same ? ROW : job.units * std::max<int64_t>(1, ROW / job.units);
        for (int k = 0; k < N_NUMBERS; ++k) {
            kept[k].resize(period);
            for (int64_t j = 0; j < period; ++j) kept[k][j] = job.numbers[k][job.many[k] == 1 ? 0 : j % job.units];
        }
    }
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

template <typename T, int S>
void derivatives(int64_t n, const T *distance, T slope, T *found) {
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) found[k] = derivative<T, S>(distance[k], slope);
}

template <typename T>
struct ForwardRow {
    const T *x, *before, *beta, *threshold, *alpha, *rho, *rise;
    T *v, *i, *a, *spikes, *distance;

    template <int R, bool HAS_CURRENT, bool ADAPTS>
    void run(int64_t n) const {
#pragma omp simd
        for (int64_t k = 0; k < n; ++k) {
            T drive = x[k];
            if (HAS_CURRENT) drive = i[k] = i[k] * alpha[k] + drive;
            T membrane = v[k];
            if (R == ZERO) membrane *= T(1) - before[k];
            membrane = membrane * beta[k] + drive;
            if (R == SUBTRACT) membrane -= before[k] * threshold[k];
            if (R == CLEAR) membrane -= before[k] * membrane;
            T level = threshold[k];
            if (ADAPTS) {
                a[k] = a[k] * rho[k] + before[k];
                level = a[k] * rise[k] + level;
            }
            v[k] = membrane;
            const T far = membrane - level;
            distance[k] = far;
            spikes[k] = far > 0 ? T(1) : T(0);
        }
    }
};

template <typename T>
struct BackwardRow {
    const T *grad, *to_membranes, *slopes, *before, *beta, *alpha, *rho, *rise;
    T *to_v, *to_i, *to_a, *to_s, *found, *at_v, *at_now;

    // Adjoints that come in are of the state after this step, those that go out of the state before it.
    template <int R, bool HAS_CURRENT, bool ADAPTS>
    void run(int64_t n) const {
#pragma omp simd
        for (int64_t k = 0; k < n; ++k) {
            T to_spike = grad[k];
            if (ADAPTS) to_spike += to_s[k];
            const T now = slopes[k] * to_spike;
            T membrane = to_v[k] + now;
            if (to_membranes) membrane += to_membranes[k];
            if (ADAPTS) {
                to_s[k] = to_a[k] - now * rise[k];
                to_a[k] = to_s[k] * rho[k];
            }
            if (at_v) at_v[k] = membrane, at_now[k] = now;
            T drive = membrane;
            if (R == ZERO || R == CLEAR) {
                const T kept = membrane * (T(1) - before[k]);
                if (R == CLEAR) drive = kept;
                membrane = kept;
            }
            to_v[k] = membrane * beta[k];
            if (HAS_CURRENT) {
                drive = to_i[k] + drive;
                to_i[k] = drive * alpha[k];
            }
            found[k] = drive;
        }
    }
};

template <int R, typename Row>
void with_memories(const Row &row, int64_t n, int64_t current, int64_t adapts) {
    if (current && adapts) return row.template run<R, true, true>(n);
    if (current) return row.template run<R, true, false>(n);
    if (adapts) return row.template run<R, false, true>(n);
    row.template run<R, false, false>(n);
}

template <typename Row>
void with_reset(const Row &row, int64_t n, int64_t reset, int64_t current, int64_t adapts) {
    if (reset == SUBTRACT) with_memories<SUBTRACT>(row, n, current, adapts);
    if (reset == ZERO) with_memories<ZERO>(row, n, current, adapts);
    if (reset == CLEAR) with_memories<CLEAR>(row, n, current, adapts);
    if (reset == NONE) with_memories<NONE>(row, n, current, adapts);
}

// Call work(lane, place among the coefficients, n) for rows of lanes that share no coefficient twice, step after step.
template <typename Step>
void over_rows(int64_t from, int64_t to, int64_t period, Step step) {
    for (int64_t lane = from; lane < to;) {
        const int64_t place = lane % period, n = std::min({ROW, period - place, to - lane});
        step(lane, place, n);
        lane += n;
    }
}

template <typename Work>
void over_blocks(int64_t threads, int64_t lanes, Work work) {
    const int64_t share = (lanes + threads - 1) / threads;
    const int64_t block = std::min(BLOCK, (share + 15) / 16 * 16), blocks = (lanes + block - 1) / block;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t p = 0; p < blocks; ++p) work(p * block, std::min(lanes, (p + 1) * block));
}

template <typename T>
void forward(const Job<T> &job) {
    const Coefficients<T> c(job);
    over_blocks(job.threads, job.lanes, [&](int64_t from, int64_t to) {
        T scratch[ROW];
        for (int64_t t = job.begin; t < job.end; ++t) {
            over_rows(from, to, c.period, [&](int64_t lane, int64_t place, int64_t n) {
                const int64_t at = t * job.lanes + lane;
                T *spikes = job.leaving + at;
                T *distance = job.kept == FULL ? static_cast<T *>(job.distance) + at : scratch;
                const ForwardRow<T> row{job.arriving + t * job.stride + lane,
                                        t ? spikes - job.lanes : job.state[SPIKES] + lane,
                                        c.kept[BETA].data() + place,
                                        c.kept[THRESHOLD].data() + place,
                                        c.kept[ALPHA].data() + place,
                                        c.kept[RHO].data() + place,
                                        c.kept[RISE].data() + place,
                                        job.state[MEMBRANE] + lane,
                                        job.state[CURRENT] + lane,
                                        job.state[ADAPTATION] + lane,
                                        spikes,
                                        distance};
                with_reset(row, n, job.reset, job.current, job.adapts);
                if (job.kept == HALF) {
                    uint16_t *half = static_cast<uint16_t *>(job.distance) + at;
#pragma omp simd
                    for (int64_t k = 0; k < n; ++k) {
                        const uint32_t rounded = to_half(float(scratch[k]));
                        half[k] = uint16_t(rounded | uint32_t((rounded == 0) & (scratch[k] > 0)));  // above 0 it stays
                    }
                }
                for (int part = MEMBRANE; part < SPIKES; ++part) {
                    if (job.traces[part]) std::copy_n(job.state[part] + lane, n, job.traces[part] + at);
                }
            });
        }
        std::copy_n(job.leaving + (job.end - 1) * job.lanes + from, to - from, job.state[SPIKES] + from);
    });
}

template <typename T>
void derivatives(int64_t surrogate, int64_t n, const T *distance, T slope, T *found) {
    if (surrogate == ATAN) derivatives<T, ATAN>(n, distance, slope, found);
    if (surrogate == FAST_SIGMOID) derivatives<T, FAST_SIGMOID>(n, distance, slope, found);
    if (surrogate == SIGMOID) derivatives<T, SIGMOID>(n, distance, slope, found);
    if (surrogate == TRIANGULAR) derivatives<T, TRIANGULAR>(n, distance, slope, found);
    if (surrogate == STRAIGHT_THROUGH) derivatives<T, STRAIGHT_THROUGH>(n, distance, slope, found);
}

// Add one step of a row to the gradients of coefficients: adjoint of what a coefficient multiplies, times that.
template <typename T>
void add_up(const Job<T> &job, int64_t t, int64_t lane, int64_t n, const T *before, const T *at_v, const T *at_now) {
    const int64_t at = t * job.lanes + lane;
    const bool clears = job.reset == ZERO || job.reset == CLEAR;
    auto earlier = [&](int part) {
        return t ? job.traces[part] + at - job.lanes : job.first[part] + lane;
    };
    if (T *sum = job.sums[BETA]) {
        const T *v = earlier(MEMBRANE);
        for (int64_t k = 0; k < n; ++k) sum[lane + k] += at_v[k] * (clears ? T(1) - before[k] : T(1)) * v[k];
    }
    if (T *sum = job.sums[THRESHOLD]) {
        for (int64_t k = 0; k < n; ++k) sum[lane + k] -= at_now[k];
        if (job.reset == SUBTRACT)
            for (int64_t k = 0; k < n; ++k) sum[lane + k] -= at_v[k] * before[k];
    }
    if (T *sum = job.sums[ALPHA]) {
        const T *i = earlier(CURRENT);
        for (int64_t k = 0; k < n; ++k) sum[lane + k] += job.leaving[at + k] * i[k];
    }
    if (T *sum = job.sums[RHO]) {
        const T *a = earlier(ADAPTATION);
        for (int64_t k = 0; k < n; ++k) sum[lane + k] += job.state[SPIKES][lane + k] * a[k];
    }
    if (T *sum = job.sums[RISE]) {
        for (int64_t k = 0; k < n; ++k) sum[lane + k] -= at_now[k] * job.traces[ADAPTATION][at + k];
    }
}

template <typename T>
void read_distance(const Job<T> &job, int64_t at, int64_t n, T *found) {
    const uint16_t *half = static_cast<const uint16_t *>(job.distance) + at;
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) found[k] = T(from_half(half[k]));
}

template <typename T>
void backward(const Job<T> &job) {
    const Coefficients<T> c(job);
    const bool adds = std::any_of(job.sums, job.sums + N_NUMBERS, [](const T *sum) { return sum; });
    const bool looks_back = job.reset == ZERO || job.reset == CLEAR || (adds && job.sums[THRESHOLD]);
    over_blocks(job.threads, job.lanes, [&](int64_t from, int64_t to) {
        T slopes[ROW], fired[ROW], at_v[ROW], at_now[ROW], wide[ROW], grads[ROW];
        auto distance = [&](int64_t at, int64_t n) -> const T * {
            if (job.kept == FULL) return static_cast<const T *>(job.distance) + at;
            read_distance(job, at, n, wide);
            return wide;
        };
        for (int64_t t = job.end - 1; t >= job.begin; --t) {
            over_rows(from, to, c.period, [&](int64_t lane, int64_t place, int64_t n) {
                const int64_t at = t * job.lanes + lane;
                derivatives(job.surrogate, n, distance(at, n), T(job.slope), slopes);
                const T *before = job.first[SPIKES] + lane;
                if (looks_back && t) {
                    const T *earlier = distance(at - job.lanes, n);
#pragma omp simd
                    for (int64_t k = 0; k < n; ++k) fired[k] = earlier[k] > 0 ? T(1) : T(0);
                    before = fired;
                }
                const T *grad = job.arriving + t * job.stride + lane;
                if (job.carried && t + 1 == job.end) {
                    for (int64_t k = 0; k < n; ++k) grads[k] = grad[k] + job.state[SPIKES][lane + k];
                    grad = grads;
                }
                const BackwardRow<T> row{grad,
                                         job.to_membranes ? job.to_membranes + at : nullptr,
                                         slopes,
                                         before,
                                         c.kept[BETA].data() + place,
                                         c.kept[ALPHA].data() + place,
                                         c.kept[RHO].data() + place,
                                         c.kept[RISE].data() + place,
                                         job.state[MEMBRANE] + lane,
                                         job.state[CURRENT] + lane,
                                         job.state[ADAPTATION] + lane,
                                         job.state[SPIKES] + lane,
                                         job.leaving + at,
                                         adds ? at_v : nullptr,
                                         at_now};
                with_reset(row, n, job.reset, job.current, job.adapts);
                if (adds) add_up(job, t, lane, n, before, at_v, at_now);
            });
        }
    });
}

}  // namespace

extern "C" void forward_float32(const Job<float> *job) { forward(*job); }
extern "C" void forward_float64(const Job<double> *job) { forward(*job); }
extern "C" void backward_float32(const Job<float> *job) { backward(*job); }
extern "C" void backward_float64(const Job<double> *job) { backward(*job); }
