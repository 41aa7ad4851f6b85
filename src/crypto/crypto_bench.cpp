#include <benchmark/benchmark.h>

#include "crypto/crc32c.hpp"
#include "crypto/hash.hpp"
#include "crypto/password.hpp"

namespace {

using namespace facteur;

void crc32c(benchmark::State& state) {
  const std::string octets(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crypto::crc32c(octets));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(crc32c)->Arg(64)->Arg(4096)->Arg(1 << 20);

void crc32c_portable(benchmark::State& state) {
  const std::string octets(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crypto::crc32c_portable(octets));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(crc32c_portable)->Arg(4096);

void sha256(benchmark::State& state) {
  const std::string octets(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crypto::sha256(octets));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sha256)->Arg(64)->Arg(4096)->Arg(1 << 20);

void argon2id(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(crypto::argon2id_hash("correct horse", "0123456789abcdef"));
}
BENCHMARK(argon2id);

void pbkdf2_4096(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(crypto::pbkdf2_sha256("correct horse", "0123456789abcdef", 4096));
}
BENCHMARK(pbkdf2_4096);

}  // namespace
