// What waits for a connection: by destination, and inside a destination by sender, each in its turn. So a sender of a
// hundred thousand letters does not keep another one's single letter waiting, and a slow destination keeps only its own
// mail waiting. Values only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/wait.hpp"
#include "queue/queue.hpp"
#include "routing/routing.hpp"

namespace facteur::delivery {

// Recipients of one entry that go to one destination.
struct Attempt {
  queue::QueueId id;
  struct To {
    std::size_t recipient = 0;  // Index into the entry's recipients.
    message::Address address;
    directory::AccountId account;  // Of a local one.
  };
  std::vector<To> to;
};

class Rounds {
 public:
  // `most`: connections to one destination at once.
  explicit Rounds(std::size_t most) : most_(std::max<std::size_t>(most, 1)) {}

  struct Destination {
    std::string key;
    std::optional<routing::NextHop> hop;  // nullopt: here.
    std::size_t running = 0;              // Connections that work for it.
    std::size_t allowed = 1;              // At most so many: grows with success, 1 after a failure to connect.
    std::size_t waiting = 0;
    std::size_t carried = 0;  // Attempts that reached it, as long as something waited or ran.
    std::size_t called = 0;   // Resting connections that were called for something that waits, and have not taken it.
    std::map<std::string, std::deque<Attempt>> by_sender;
    std::deque<std::string> turn;  // Senders with something waiting.
  };

  static constexpr std::string_view here = "here";

  void add(std::optional<routing::NextHop> hop, const std::string& sender, Attempt attempt);

  // A destination with something waiting and a connection to spare, each in its turn; its `running` is counted up.
  Destination* start();
  // The next thing for this destination: the next sender's oldest.
  std::optional<Attempt> take(Destination& destination);
  // All that waits for it: to be given one common outcome.
  std::vector<Attempt> take_all(Destination& destination);
  // A connection has ended its work; the destination may be gone after this.
  void stop(Destination& destination);

  // A connection of a destination that rests: it has nothing to carry and waits to be called.
  class Rest {
   public:
    Rest(Rounds& rounds, Destination& destination);
    Rest(const Rest&) = delete;
    Rest& operator=(const Rest&) = delete;
    ~Rest();
    Wakeup& bell() { return bell_; }
    bool called() const { return called_; }  // Something waited for it when its bell rang.

   private:
    friend class Rounds;
    Rounds& rounds_;
    Destination& destination_;
    Wakeup bell_;
    bool called_ = false;
  };
  void call();       // Those for whom something waits.
  void call_all();   // They end.
  void make_room();  // The oldest one ends, if something waits for a connection elsewhere.

  // Slow start (RELIABILITY R9).
  void succeeded(Destination& destination) {
    destination.allowed = std::min(destination.allowed + 1, most_);
    ++destination.carried;
  }
  void failed(Destination& destination) { destination.allowed = 1; }

  std::size_t waiting() const { return waiting_; }
  std::size_t running() const { return running_; }
  void set_most(std::size_t most) { most_ = std::max<std::size_t>(most, 1); }

 private:
  std::size_t most_;
  std::size_t waiting_ = 0;
  std::size_t running_ = 0;
  std::map<std::string, Destination> destinations_;
  std::deque<Rest*> resting_;  // The oldest first.
  std::string last_;           // The destination that was started last: the turn goes on behind it.
};

}  // namespace facteur::delivery
