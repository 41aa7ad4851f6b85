// One call is log line, metric and trace: observe::Event.
//
//   observer.event("smtp_session_finished").field("peer", peer).field("messages", n).field("duration_ms", t);
//
// The event is recorded when the temporary dies. Names are <noun>_<what>_finished (or _started, _refused, _failed...);
// fields in octets end in _bytes, times in _ms. Events inherit the fields of the Scope they are made from
// (connection -> transaction -> delivery), so that one trace id is in every line of a message's way.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace facteur::observe {

enum class Level : std::uint8_t { debug, info, warning, error };

// A value that must never be logged. It has no formatter: passing one to field() does not compile.
struct Secret {
  std::string value;
};

struct Field {
  std::string name;
  std::string value;
  bool number = false;  // Written without quotes in JSON.
};

struct Record {
  std::string_view name;
  Level level = Level::info;
  std::vector<Field> fields;  // Inherited ones first.
};

// Where records go: the host's logger and metrics, the simulator's hash, a test's list. Thread-safe; never blocks mail
// (RELIABILITY R30): what cannot be written is dropped and counted.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void record(const Record& record) = 0;
};

class Event {
 public:
  Event(Sink& sink, std::string_view name, std::vector<Field> inherited)
      : sink_(&sink), record_{name, Level::info, std::move(inherited)} {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { sink_->record(record_); }

  Event& level(Level level) {
    record_.level = level;
    return *this;
  }
  Event& field(std::string_view name, std::string_view value) {
    record_.fields.push_back({std::string(name), std::string(value), false});
    return *this;
  }
  template <std::integral Number>
  Event& field(std::string_view name, Number value) {
    record_.fields.push_back({std::string(name), std::to_string(value), true});
    return *this;
  }
  // Level warning; adds code, text, cause.
  Event& failure(const Failure& why) {
    record_.level = Level::warning;
    return field("code", why.code).field("error", why.text).field("cause", why.cause);
  }

 private:
  Sink* sink_;
  Record record_;
};

// A node of the tree of events: fields that every event made from it carries.
class Scope {
 public:
  explicit Scope(Sink& sink) : sink_(&sink) {}
  Scope with(std::string_view name, std::string_view value) const {
    Scope child = *this;
    child.fields_.push_back({std::string(name), std::string(value), false});
    return child;
  }
  Event event(std::string_view name) const { return Event(*sink_, name, fields_); }
  Sink& sink() const { return *sink_; }

 private:
  Sink* sink_;
  std::vector<Field> fields_;
};

// Swallows everything: for tests that do not look.
class NullSink : public Sink {
 public:
  void record(const Record&) override {}
};

}  // namespace facteur::observe
