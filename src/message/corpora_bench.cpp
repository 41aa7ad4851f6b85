// Octets per second over all messages of the corpora: headers alone, structure and headers, and the whole record.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/structure.hpp"

namespace {

namespace fs = std::filesystem;

fs::path root() {
  if (const char* set = std::getenv("FACTEUR_CORPORA")) return set;
  for (fs::path above = fs::current_path(); above.has_relative_path(); above = above.parent_path()) {
    if (fs::exists(above / "shared/corpora")) return above / "shared/corpora";
  }
  return "../shared/corpora";
}

// Empty where the corpora are not.
const std::vector<std::string>& messages() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> read;
    for (const auto* name :
         {"mime-jwz/input", "mime4j", "mime-mimekit/messages", "mime-mail-parser", "mime-summary", "mime-python",
          "mime-ruby-mail", "rspamd-messages", "bounces-sisimai", "threads-notmuch"}) {
      if (!fs::exists(root() / name)) continue;
      for (const auto& entry : fs::recursive_directory_iterator(root() / name)) {
        const std::string extension = entry.path().extension().string();
        if (!entry.is_regular_file() || extension == ".json" || extension == ".xml" || extension == ".bin") continue;
        std::ifstream in(entry.path(), std::ios::binary);
        read.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
      }
    }
    return read;
  }();
  return all;
}

template <class Read>
void run(benchmark::State& state, Read read) {
  if (messages().empty()) {
    state.SkipWithError("the corpora are not here");
    return;
  }
  std::size_t octets = 0;
  for (const auto& message : messages()) octets += message.size();
  for (auto _ : state) {
    for (const auto& message : messages()) read(message);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(octets) * static_cast<std::int64_t>(state.iterations()));
  state.counters["messages"] = static_cast<double>(messages().size());
}

void BM_corpora_headers(benchmark::State& state) {
  run(state, [](const std::string& message) {
    facteur::message::FieldScanner scanner(message);
    facteur::message::Field field;
    while (scanner.next(field)) benchmark::DoNotOptimize(field);
  });
}
BENCHMARK(BM_corpora_headers);

void BM_corpora_structure(benchmark::State& state) {
  run(state, [](const std::string& message) { benchmark::DoNotOptimize(facteur::message::parse_mime(message)); });
}
BENCHMARK(BM_corpora_structure);

void BM_corpora_record(benchmark::State& state) {
  run(state, [](const std::string& message) {
    benchmark::DoNotOptimize(facteur::message::make_structure("Return-Path: <a@example.org>\r\n", message));
  });
}
BENCHMARK(BM_corpora_record);

}  // namespace
