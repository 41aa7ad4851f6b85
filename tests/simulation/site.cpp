#include "site.hpp"

#include <stdexcept>

#include "queue/queue.hpp"

namespace facteur::simulation {

namespace {

// One certificate for all sites and seeds, the same in every process: its lengths would change the runs.
Result<crypto::TlsCertificate> make_certificate() {
  sim::Random chance(1);
  const UtcTime day{1'780'000'000'000};
  const crypto::Injection openssl([&chance](Room room) { chance.fill(room); }, [day] { return day; });
  return crypto::make_self_signed({"mx.a.example", "mx.b.example"}, day, 36500);
}

Result<std::string> read_certificate(const std::string& path) {
  static const auto made = make_certificate();
  if (!made) return std::unexpected(made.error());
  return path == "key" ? made->key_pem : made->chain_pem;
}

config::Listener listener_of(const IpAddress& address, std::string name, std::uint16_t port,
                             config::Listener::Protocol protocol, config::Listener::Tls tls) {
  config::Listener out;
  out.name = std::move(name);
  out.address = address;
  out.port = port;
  out.protocol = protocol;
  out.tls = tls;
  return out;
}

std::shared_ptr<const config::Config> configuration(const SiteParameters& parameters) {
  auto config = std::make_shared<config::Config>();
  config->hostname = "mx." + parameters.domain;
  config->domains = {parameters.domain};
  config->postmaster = parameters.users.front() + "@" + parameters.domain;
  config->tls.certificates = {{"chain", "key"}};
  config->directory.argon2_memory = 64 * 1024;
  config->directory.argon2_passes = 1;
  config->delivery.allow_loopback = true;
  config->delivery.source_address = parameters.address;
  config->limits.drain_timeout = 5s;
  using enum config::Listener::Protocol;
  using enum config::Listener::Tls;
  const auto& at = parameters.address;
  config->listeners = {
      listener_of(at, "mx", 25, exchanger, starttls),     listener_of(at, "msa", 587, submission, starttls),
      listener_of(at, "msas", 465, submission, implicit), listener_of(at, "lmtp", 24, lmtp, none),
      listener_of(at, "pop3s", 995, pop3, implicit),      listener_of(at, "imap", 143, imap, starttls),
      listener_of(at, "imaps", 993, imap, implicit)};
  return config;
}

[[noreturn]] void give_up(const std::string& what, const Failure& why) {
  throw std::runtime_error(what + ": " + std::string(why.code) + " " + why.text + " " + why.cause);
}

}  // namespace

std::shared_ptr<const crypto::TlsClientContext> trust_in_sites() {
  static const auto trust = [] {
    auto made = crypto::TlsClientContext::make({.ca_pem = *read_certificate("chain"), .verify = true});
    if (!made) give_up("the certificate is not usable", made.error());
    return *made;
  }();
  return trust;
}

Site::Life::Life(sim::World& world, const SiteParameters& parameters, sim::Disk::Image image, std::uint64_t crash_at,
                 Duration calendar_off)
    : machine(world, {.addresses = {parameters.address}, .shards = 2, .utc = sim::World::first_day + 1h + calendar_off},
              std::move(image)) {
  machine.disk.crash_at(crash_at);
  const bool faulty = parameters.plant != Plant::none;
  if (faulty) faulty_disk = plant_in_disk(parameters.plant, machine.disk, machine.random);
  world::Disk& disk = faulty ? *faulty_disk : machine.disk;
  auto opened = store::open({.disk = disk,
                             .shards = machine.shards,
                             .clock = machine.clock,
                             .random = machine.random,
                             .scope = observe::Scope(world.events),
                             .index = store::IndexKind::map,
                             .sizes = small_sizes()});
  if (!opened) {
    if (machine.disk.crashed()) return;
    give_up("the store does not open", opened.error());
  }
  engine = std::move(*opened);
  if (faulty) faulty_engine = plant_in_engine(parameters.plant, *engine, machine.random);
  server::Doors doors{.clock = machine.clock,
                      .network = machine.network,
                      .disk = disk,
                      .random = machine.random,
                      .shards = machine.shards,
                      .resolver = machine.resolver,
                      .read_file = read_certificate,
                      .bulk = parameters.bulk};
  server = std::make_unique<server::Server>(std::move(doors), world.events, faulty ? *faulty_engine : *engine,
                                            engine->instance(), configuration(parameters));
}

Site::~Site() {
  if (life_) end(End::kill);
}

void Site::run(Task<void> task) {
  TaskGroup group;
  life_->machine.shards.run(0, [&] { group.start(std::move(task)); });
  if (!world_.run_until([&] { return group.empty() || disk_froze(); }, 1h)) throw std::runtime_error("a task hangs");
  // A frozen disk: what waits for it goes with the life, and before it.
  if (!group.empty()) life_->machine.halt();
}

void Site::start(std::uint64_t crash_at) {
  life_ = std::make_unique<Life>(world_, parameters_, std::move(image_), crash_at, calendar_off_);
  ++lives_;
  if (life_->server) run(begin());
}

Task<void> Site::begin() {
  auto started = co_await life_->server->start();
  if (!started && !disk_froze()) give_up("the server does not start", started.error());
}

void Site::add_people() {
  for (const auto& user : parameters_.users) {
    run(command(R"({"command":"account.add","address":")" + user + "@" + parameters_.domain +
                R"(","password":"secret"})"));
  }
  for (const auto& [alias, targets] : parameters_.aliases) {
    std::string list;
    for (const auto& target : targets) list += (list.empty() ? "\"" : ",\"") + target + "\"";
    run(command(R"({"command":"alias.set","address":")" + alias + "@" + parameters_.domain + R"(","targets":[)" + list +
                "]}"));
  }
}

Task<void> Site::command(std::string request) {
  const auto reply = co_await life_->server->command(request);
  if (reply.find("\"ok\":true") == std::string::npos) throw std::runtime_error(request + " -> " + reply);
}

void Site::ask(std::string request, std::shared_ptr<std::optional<bool>> reply) {
  life_->machine.shards.run(0, [&] { life_->tasks->start(answer(std::move(request), std::move(reply))); });
}

Task<void> Site::answer(std::string request, std::shared_ptr<std::optional<bool>> reply) {
  const auto text = co_await life_->server->command(std::move(request));
  *reply = text.find("\"ok\":true") != std::string::npos;
}

Task<void> Site::finish(bool& done) {
  co_await life_->server->stop();
  co_await life_->engine->close();
  done = true;
}

void Site::end(End how) {
  bool done = false;
  if (how == End::stop && life_->server && !disk_froze()) {
    life_->machine.shards.run(0, [&] { life_->tasks->start(finish(done)); });
    if (!world_.run_until([&] { return done || disk_froze(); }, 10min))
      throw std::runtime_error("the server does not stop");
  }
  life_->machine.halt();  // Queued closures first, then the frames that they would resume.
  life_->tasks.reset();
  life_->server.reset();
  life_->faulty_engine.reset();
  life_->engine.reset();
  const bool froze = disk_froze();
  // A kill that comes with a frozen disk came at that operation: the machine goes on, all that was written is there.
  const bool cut = how == End::power_cut || (froze && how == End::stop);
  image_ = cut ? life_->machine.disk.crash() : life_->machine.disk.image();
  life_.reset();
}

bool Site::queue_empty() {
  auto queue = queue::make_queue(*life_->engine, life_->machine.shards, life_->machine.clock, life_->machine.random,
                                 observe::Scope(world_.events));
  const auto all = queue->list();
  if (!all) give_up("the queue cannot be read", all.error());
  return all->empty();
}

Holdings Site::holdings() {
  Holdings out;
  run(read_holdings(life_->machine, *life_->engine, world_.events, out));
  return out;
}

void Site::step_calendar(Duration by) {
  calendar_off_ += by;
  if (life_) life_->machine.clock.step_wall(by);
}

sim::Disk::Image Site::as_cut(std::uint64_t chance) {
  return life_ ? life_->machine.disk.survivor(chance) : image_.clone();
}

bool Site::damage_index(sim::Random& chance) {
  sim::Disk disk(std::move(image_), chance.next());
  const auto size = disk.content("index/map").size();
  bool damaged = size > 0;
  if (damaged) {
    switch (chance.between(0, 2)) {
      case 0:
        damaged = disk.remove("index/map").has_value();
        break;
      case 1:
        damaged = disk.cut("index/map", chance.between(0, size - 1));
        break;
      default:
        damaged = disk.flip_bit("index/map", chance.between(0, size * 8 - 1));
    }
  }
  image_ = disk.image();
  return damaged;
}

}  // namespace facteur::simulation
