#include "sim/network.hpp"

#include <algorithm>
#include <deque>

#include "base/assert.hpp"
#include "sim/network_connection.hpp"

namespace facteur::sim {

namespace {

std::unexpected<Failure> gone() { return failure(Failure::Kind::closed, "F-1220", "The connection is closed"); }
std::unexpected<Failure> too_late() { return failure(Failure::Kind::timed_out, "F-1221", "The peer took too long"); }

bool is_any(const IpAddress& address) {
  return std::ranges::all_of(address.octets, [](std::uint8_t octet) { return octet == 0; });
}

class OneStream : public world::Stream {
 public:
  OneStream(Shards& shards, std::shared_ptr<Network::Connection> connection, int side)
      : shards_(shards), connection_(std::move(connection)), number_(side), side_(connection_->sides[side]) {}
  ~OneStream() override { connection_->close(number_); }

  Task<Result<bool>> readable(Instant deadline, Wakeup* wakeup) override {
    while (!ready()) {
      Wait wait(shards_, deadline, wakeup, &side_.reader);
      const auto outcome = co_await wait;
      if (side_.closed) co_return gone();
      if (outcome == Wait::Outcome::belled) co_return true;
      if (outcome == Wait::Outcome::expired && !ready()) co_return too_late();
    }
    if (side_.closed || side_.broken) co_return gone();
    co_return wakeup && wakeup->fired();
  }

  Task<Result<std::size_t>> read(Room room, Instant deadline) override {
    ASSERT(!room.empty());
    auto there = co_await readable(deadline, nullptr);
    if (!there) co_return failed(there);
    co_return connection_->take(number_, room);
  }

  Task<Result<void>> write(Bytes bytes, Instant deadline) override {
    while (!bytes.empty()) {
      if (side_.closed || side_.broken || side_.ended) co_return gone();
      const auto taken = connection_->send(number_, bytes);
      bytes.remove_prefix(taken);
      if (taken > 0) continue;
      Wait wait(shards_, deadline, nullptr, &side_.writer);
      if (co_await wait == Wait::Outcome::expired) co_return too_late();
    }
    co_return Result<void>{};
  }

  Task<Result<void>> write(std::span<const Bytes> pieces, Instant deadline) override {
    for (const Bytes piece : pieces) {
      auto sent = co_await write(piece, deadline);
      if (!sent) co_return sent;
    }
    co_return Result<void>{};
  }

  void end() override { connection_->end(number_); }
  void close() override { connection_->close(number_); }
  Endpoint peer() const override { return connection_->sides[1 - number_].endpoint; }
  Endpoint local() const override { return side_.endpoint; }

 private:
  bool ready() const { return side_.waiting() > 0 || side_.peer_ended || side_.broken || side_.closed; }

  Shards& shards_;
  std::shared_ptr<Network::Connection> connection_;
  int number_;
  Network::Connection::Side& side_;
};

}  // namespace

class Network::Listening : public world::Listener {
 public:
  Listening(Network& network, Endpoint endpoint)
      : network_(&network), shards_(network.shards_), shard_(shards_.current()), endpoint_(endpoint) {
    network.listening_.push_back(this);
  }
  ~Listening() override { close(); }

  Task<Result<std::unique_ptr<world::Stream>>> accept() override {
    while (queue_.empty()) {
      if (!network_) co_return gone();
      Wait wait(shards_, Instant::never(), nullptr, &accepting_);
      co_await wait;
    }
    auto stream = std::move(queue_.front());
    queue_.pop_front();
    co_return stream;
  }

  Endpoint local() const override { return endpoint_; }
  void close() override {
    if (auto* network = std::exchange(network_, nullptr)) std::erase(network->listening_, this);
    queue_.clear();
    if (accepting_) accepting_->signal();
  }

  unsigned shard() const { return shard_; }
  bool full() const { return queue_.size() >= 128; }
  void offer(std::unique_ptr<world::Stream> stream) {
    queue_.push_back(std::move(stream));
    if (accepting_) accepting_->signal();
  }

 private:
  Network* network_;
  Shards& shards_;
  unsigned shard_;
  Endpoint endpoint_;
  std::deque<std::unique_ptr<world::Stream>> queue_;
  Wait* accepting_ = nullptr;
};

Network::Network(Internet& internet, Shards& shards, std::vector<IpAddress> addresses)
    : internet_(internet), shards_(shards), addresses_(std::move(addresses)) {
  ASSERT(!addresses_.empty());
  for (const auto& address : addresses_) internet_.machines_[address] = this;
}

Network::~Network() { halt(); }

void Network::halt() {
  *alive_ = false;
  for (const auto& address : addresses_) {
    const auto at = internet_.machines_.find(address);
    if (at != internet_.machines_.end() && at->second == this) internet_.machines_.erase(at);
  }
  while (!listening_.empty()) listening_.back()->close();
}

Result<std::unique_ptr<world::Listener>> Network::listen(const Endpoint& endpoint) {
  const bool ours = is_any(endpoint.address) || std::ranges::find(addresses_, endpoint.address) != addresses_.end();
  if (!ours) return failure(Failure::Kind::permanent, "F-1222", "Not an address of this machine", to_string(endpoint));
  Endpoint bound = endpoint;
  if (bound.port == 0) bound.port = next_port_++;
  return std::make_unique<Listening>(*this, bound);
}

// Several shards may listen on one endpoint: one of them is drawn.
Network::Listening* Network::find(const Endpoint& endpoint) {
  std::vector<Listening*> fitting;
  for (auto* listening : listening_) {
    const auto at = listening->local();
    if (at.port == endpoint.port && (at.address == endpoint.address || is_any(at.address)) && !listening->full()) {
      fitting.push_back(listening);
    }
  }
  return fitting.empty() ? nullptr : fitting[internet_.timeline_.chance().between(0, fitting.size() - 1)];
}

Task<Result<std::unique_ptr<world::Stream>>> Network::connect(const Endpoint& endpoint, Instant deadline,
                                                              const IpAddress* source) {
  const auto& weather = internet_.weather;
  auto& timeline = internet_.timeline_;
  auto& chance = timeline.chance();
  const Endpoint from{source ? *source : addresses_.front(), next_port_++};
  if (next_port_ < 40000) next_port_ = 40000;

  Wait way(shards_, std::min(deadline, timeline.soon(weather.least_delay, weather.most_delay)));
  co_await way;
  const auto there = internet_.machines_.find(endpoint.address);
  if (internet_.parted(from.address, endpoint.address) || there == internet_.machines_.end() ||
      timeline.now() >= deadline) {
    Wait long_time(shards_, deadline);
    co_await long_time;
    co_return failure(Failure::Kind::timed_out, "F-1223", "The host does not answer", to_string(endpoint));
  }
  Network& other = *there->second;
  auto* listening = other.find(endpoint);
  if (!listening || chance.happens(weather.refused_per_mille)) {
    co_return failure(Failure::Kind::temporary, "F-1224", "Connection refused", to_string(endpoint));
  }
  std::optional<Fate> fate;
  if (internet_.fate) fate = internet_.fate(from, endpoint);
  if (!fate) {
    fate.emplace();
    if (chance.happens(weather.reset_per_mille)) fate->reset_after = chance.between(0, weather.most_octets_before);
    if (chance.happens(weather.stalled_per_mille)) fate->stalled_after = chance.between(0, weather.most_octets_before);
  }
  auto connection = std::make_shared<Connection>(internet_, from, endpoint, *fate);
  connection->sides[0].alive = alive_;
  connection->sides[1].alive = other.alive_;
  listening->offer(std::make_unique<OneStream>(other.shards_, connection, 1));
  co_return std::make_unique<OneStream>(shards_, std::move(connection), 0);
}

}  // namespace facteur::sim
