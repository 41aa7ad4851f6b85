// What the code reported: a running hash of all of it, and the last events for tests to look at.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "observe/event.hpp"
#include "sim/timeline.hpp"

namespace facteur::sim {

class Events : public observe::Sink {
 public:
  explicit Events(Timeline& timeline, std::size_t kept = 10'000) : timeline_(timeline), kept_(kept) {}

  struct Seen {
    Instant when;
    std::string name;
    observe::Level level;
    std::vector<observe::Field> fields;
    std::string_view field(std::string_view field_name) const;  // Empty if absent.
  };
  const std::deque<Seen>& seen() const { return seen_; }  // The last ones, oldest first.
  std::uint64_t count(std::string_view name) const;       // Of all, also those no longer kept.
  std::string text() const;                               // One line an event, for failed tests.

  void record(const observe::Record& record) override;

 private:
  Timeline& timeline_;
  std::size_t kept_;
  std::deque<Seen> seen_;
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

}  // namespace facteur::sim
