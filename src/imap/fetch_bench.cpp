// What FETCH costs per message without any store: PERFORMANCE.md rows 12 and 13 ask for 100 ns (FLAGS) and 500 ns
// (ENVELOPE) a message, all included.
#include <benchmark/benchmark.h>

#include <array>
#include <string>

#include "imap/body_search.hpp"
#include "imap/command_parser.hpp"
#include "imap/fetch_plan.hpp"

namespace facteur::imap {
namespace {

constexpr Bytes content =
    "From: Anne Martin <anne@example.org>\r\nTo: Bob <bob@example.org>, carol@example.org\r\nSubject: A usual "
    "subject\r\n"
    "Date: Sat, 24 Mar 2007 23:00:00 +0200\r\nMessage-ID: <20070324230000.12345@example.org>\r\n\r\nhello\r\n";

FetchPlan plan_of(const std::string& items) {
  const auto parsed = parse_command("a FETCH 1:* " + items, false);
  return FetchPlan(std::get<FetchCommand>(parsed->command.body).items, false, false);
}

void write_fetch(benchmark::State& state, const std::string& items) {
  const auto plan = plan_of(items);
  const auto record = message::make_structure({}, content);
  ResponseWriter out;
  FetchedMessage message;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    const auto structure = message::Structure::open(record);
    message.structure = &*structure;
    ++message.number;
    ++message.uid;
    message.flag_bits = static_cast<std::uint8_t>(message.uid % 3);
    plan.write(out, message);
    if (out.full()) {
      bytes += out.text().size();
      out.clear();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes + out.text().size()));
  state.SetItemsProcessed(state.iterations());
}

void fetch_flags(benchmark::State& state) { write_fetch(state, "(UID FLAGS)"); }
void fetch_envelope(benchmark::State& state) { write_fetch(state, "(ENVELOPE)"); }
void fetch_for_a_list(benchmark::State& state) {
  write_fetch(state, "(UID RFC822.SIZE FLAGS INTERNALDATE ENVELOPE BODYSTRUCTURE)");
}

void parse_fetch(benchmark::State& state) {
  const Bytes text = "a17 UID FETCH 1:*,5000:6000 (UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Subject Date)])";
  for (auto _ : state) benchmark::DoNotOptimize(parse_command(text, false));
}
void parse_search(benchmark::State& state) {
  const Bytes text = "a UID SEARCH RETURN (COUNT ALL) UNSEEN OR (FROM anne SUBJECT hello) NOT SINCE 1-Feb-2024";
  for (auto _ : state) benchmark::DoNotOptimize(parse_command(text, false));
}

// SEARCH BODY of a word that is nowhere (PERFORMANCE.md row 15), over a message of 10 KiB in memory.
void search_body(benchmark::State& state, const std::string& header, Bytes line) {
  std::string text = "From: anne@example.org\r\nSubject: A usual subject\r\n" + header + "\r\n";
  while (text.size() < 10 * 1024) text.append(line);
  const auto record = message::make_structure({}, text);
  MessagePieces pieces;
  pieces.add(text);
  const auto needle = needle_of_text("nowhere");
  for (auto _ : state) {
    const auto structure = message::Structure::open(record);
    benchmark::DoNotOptimize(message_has(*structure, pieces, needle, Searched::body));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
void search_body_ascii(benchmark::State& state) {
  search_body(state, "", "A line of some words as people write them to each other.\r\n");
}
void search_body_accents(benchmark::State& state) {
  search_body(state, "Content-Type: text/plain; charset=utf-8\r\n", "Une ligne \u00e9crite par quelqu'un d'autre.\r\n");
}
void search_body_html(benchmark::State& state) {
  search_body(state, "Content-Type: text/html\r\n", "<p class=\"x\">A line of <b>some</b> words &amp; more.</p>\r\n");
}

BENCHMARK(search_body_ascii);
BENCHMARK(search_body_accents);
BENCHMARK(search_body_html);
BENCHMARK(fetch_flags);
BENCHMARK(fetch_envelope);
BENCHMARK(fetch_for_a_list);
BENCHMARK(parse_fetch);
BENCHMARK(parse_search);

}  // namespace
}  // namespace facteur::imap
