#include "sim/network_connection.hpp"

#include <algorithm>

namespace facteur::sim {

namespace {
constexpr std::uint64_t cables = 0;  // The owner of events that no crash of a machine takes back.
void wake(Wait* wait) {
  if (wait) wait->signal();
}
}  // namespace

Network::Connection::Connection(Internet& net, Endpoint from, Endpoint to, Fate fate) : net_(net), fate_(fate) {
  sides[0].endpoint = from;
  sides[1].endpoint = to;
  auto& chance = net.timeline().chance();
  for (auto& side : sides) {
    side.buffer = static_cast<std::size_t>(chance.between(1024, std::max<std::size_t>(1024, net.weather.most_buffer)));
  }
}

// When something sent now arrives there: behind all that was sent before.
Instant Network::Connection::arrival(int to) {
  auto& side = sides[to];
  auto when = net_.timeline().soon(net_.weather.least_delay, net_.weather.most_delay);
  if (fate_.stalled_after && octets_ >= *fate_.stalled_after) when = Instant::never();
  return side.last_arrival = std::max(side.last_arrival, when);
}

std::size_t Network::Connection::send(int from, Bytes bytes) {
  auto& to = sides[1 - from];
  const std::size_t held = to.waiting() + to.under_way;
  if (held >= to.buffer) return 0;
  auto& chance = net_.timeline().chance();
  const auto most = std::min({bytes.size(), to.buffer - held, net_.weather.most_segment});
  const auto count = static_cast<std::size_t>(chance.between(1, most));
  to.under_way += count;
  octets_ += count;
  auto self = shared_from_this();
  const auto when = arrival(1 - from);
  net_.timeline().at(when, cables, [self, to_side = 1 - from, octets = std::string(bytes.substr(0, count))]() mutable {
    self->arrive(to_side, std::move(octets));
  });
  if (fate_.reset_after && octets_ >= *fate_.reset_after) {
    net_.timeline().at(net_.timeline().soon(0us, net_.weather.most_delay), cables, [self] { self->break_both(); });
  }
  return count;
}

void Network::Connection::arrive(int to, std::string octets) {
  auto& side = sides[to];
  if (net_.parted(sides[0].endpoint.address, sides[1].endpoint.address)) {
    // Sent again until the cable is mended.
    const auto again = net_.timeline().now() + 1s;
    side.last_arrival = std::max(side.last_arrival, again);
    net_.timeline().at(again, cables, [self = shared_from_this(), to, octets = std::move(octets)]() mutable {
      self->arrive(to, std::move(octets));
    });
    return;
  }
  side.under_way -= std::min(side.under_way, octets.size());
  if (side.broken) return;
  if (side.closed) {
    // Nobody is there. A machine that runs says so; one that has crashed says nothing, mostly.
    if (*side.alive || net_.timeline().chance().happens(300)) break_both();
    return;
  }
  if (octets.empty()) {
    side.peer_ended = true;
  } else {
    side.arrived.append(octets);
  }
  wake(side.reader);
}

void Network::Connection::break_both() {
  for (auto& side : sides) {
    side.broken = true;
    side.arrived.clear();
    side.read_from = 0;
    wake(side.reader);
    wake(side.writer);
  }
}

std::size_t Network::Connection::take(int side_number, Room room) {
  auto& side = sides[side_number];
  auto& chance = net_.timeline().chance();
  auto most = std::min(side.waiting(), room.size());
  if (most > 1 && chance.happens(200)) most = static_cast<std::size_t>(chance.between(1, most));
  std::copy_n(side.arrived.begin() + static_cast<std::ptrdiff_t>(side.read_from), most, room.begin());
  side.read_from += most;
  if (side.read_from == side.arrived.size()) {
    side.arrived.clear();
    side.read_from = 0;
  }
  if (most > 0) wake(sides[1 - side_number].writer);
  return most;
}

void Network::Connection::end(int side_number) {
  auto& side = sides[side_number];
  if (side.ended || !*side.alive) return;
  side.ended = true;
  net_.timeline().at(arrival(1 - side_number), cables,
                     [self = shared_from_this(), to = 1 - side_number] { self->arrive(to, {}); });
}

void Network::Connection::close(int side_number) {
  auto& side = sides[side_number];
  if (side.closed) return;
  side.closed = true;
  // Closing with octets unread is a reset (RFC 2525 §2.17), else an orderly end.
  if (*side.alive && side.waiting() > 0 && !side.broken) {
    net_.timeline().at(arrival(1 - side_number), cables, [self = shared_from_this()] { self->break_both(); });
  } else {
    end(side_number);
  }
  side.arrived.clear();
  side.read_from = 0;
  wake(side.reader);
  wake(side.writer);
}

}  // namespace facteur::sim
