// What reading costs grows with the octets read and not faster: twice the octets, at most 2.5 times the time.
#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <limits>

#include "hostile_messages.hpp"
#include "message/address.hpp"
#include "message/authentication_results.hpp"
#include "message/date.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/list_fields.hpp"
#include "message/mime.hpp"
#include "message/received.hpp"
#include "message/references.hpp"
#include "message/structure.hpp"
#include "message/text.hpp"
#include "message/trace.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

constexpr double most_growth = 2.5;

// CPU time of this thread: other programs on the machine count little.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Memory that was freed stays with the process: else each run of some megabytes takes new pages from the system, which
// costs more than the reading on a busy machine.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

// The least of some runs: disturbances only add.
template <class Read>
double cost(Read read, const std::string& input) {
  double least = std::numeric_limits<double>::max();
  double total = 0;
  for (int run = 0; run < 5 || (total < 0.002 && run < 200); ++run) {
    const double start = cpu_seconds();
    read(input);
    const double took = cpu_seconds() - start;
    least = std::min(least, took);
    total += took;
  }
  return least;
}

template <class Read>
void check_growth(const hostile::Input& input, std::size_t octets, Read read) {
  CAPTURE(input.name);
  double growth = 0;
  double large = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    const double small = cost(read, input.make(octets));
    large = cost(read, input.make(octets * 2));
    growth = large / std::max(small, 1e-6);
    if (growth <= most_growth) break;
  }
  CHECK(growth <= most_growth);
  // A quadratic reader of this much takes seconds; a linear one is far below a second even on a slow machine.
  CHECK(large < 1.0);
}

void read_message(const std::string& text) {
  const std::string record = make_structure("Return-Path: <>\r\n", text);
  const auto structure = Structure::open(record);
  REQUIRE(structure);
  (void)structure->leaves();
  const auto tree = parse_mime(text);
  (void)display_text(text, tree);
  (void)searchable_text(text, tree);
  (void)analyse_trace(text);
}

void read_value(const std::string& text) {
  (void)parse_address_list(text);
  if (const auto type = parse_content_type(text)) (void)type->parameter("z");
  (void)parse_disposition(text);
  (void)decoded_text(text);
  (void)base_subject(text);
  (void)parse_message_ids(text);
  (void)parse_date(text);
  (void)parse_received(text);
  (void)parse_authentication_results(text);
  (void)parse_list_uris(text);
  (void)parse_list_id(text);
  (void)parse_path(text, true);
  (void)read_list_fields("List-Id: " + text);
}

TEST_CASE("reading a hostile message costs in proportion to its octets") {
  keep_memory();
  for (const auto& input : hostile::messages()) check_growth(input, 100'000, read_message);
}

TEST_CASE("reading a hostile field value costs in proportion to its octets") {
  keep_memory();
  for (const auto& input : hostile::values()) check_growth(input, 30'000, read_value);
}

}  // namespace
}  // namespace facteur::message
