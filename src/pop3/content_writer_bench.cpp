// How fast messages get ready for RETR: the writer must be far faster than the 450 MB/s a whole session has to reach.
#include <benchmark/benchmark.h>

#include <string>

#include "pop3/content_writer.hpp"

namespace {

void BM_retr_10k(benchmark::State& state) {
  std::string text;
  while (text.size() < 10'000)
    text += "An ordinary line of text, of some seventy octets, without anything special.\r\n";
  std::vector<facteur::Bytes> out;
  facteur::pop3::ContentWriter writer;
  for (auto _ : state) {
    out.clear();
    writer.start({facteur::Bytes("Return-Path: <a@b.example>\r\n"), facteur::Bytes(text)}, std::nullopt);
    while (writer.active()) writer.write(out, 512, 512 * 1024);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(BM_retr_10k);

}  // namespace
