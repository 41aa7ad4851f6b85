// What taking a message in costs: the whole way from octets of a connection to the commit, as a server does it, with
// connections whose octets come from memory. Everything runs on one thread (shards, log and pool in turn) on a disk in
// memory where there is one ($TMPDIR otherwise): what is measured is processor time, without sockets and syncs.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <iostream>

#include "directory/store_authenticator.hpp"
#include "directory/store_directory.hpp"
#include "host/disk.hpp"
#include "message/structure.hpp"
#include "server/smtp_service.hpp"
#include "sim/random.hpp"
#include "store/embedded_engine.hpp"
#include "store/stage_test.hpp"

namespace {

using namespace facteur;
using namespace facteur::server;

constexpr std::size_t conversations = 32;
constexpr std::size_t messages_each = 16;
constexpr std::size_t accounts = 32;

[[noreturn]] void stop(const Failure& why) {
  std::cerr << why.code << ' ' << why.text << ' ' << why.cause << '\n';
  abort();
}

// A client that pipelines (RFC 2920): what it says next is there whenever the server listens.
class Client final : public world::Stream {
 public:
  Client(std::uint64_t first, std::size_t size) : number_(first), end_(first + messages_each), size_(size) {}

  Task<Result<bool>> readable(Instant, Wakeup*) override { co_return false; }
  Task<Result<std::size_t>> read(Room room, Instant) override {
    if (at_ == saying_.size()) next();
    const std::size_t count = std::min(room.size(), saying_.size() - at_);
    std::copy_n(saying_.data() + at_, count, room.data());
    at_ += count;
    co_return count;
  }
  Task<Result<void>> write(Bytes bytes, Instant) override {
    if (bytes.starts_with('4') || bytes.starts_with('5')) stop({.text = std::string(bytes)});
    co_return Result<void>{};
  }
  Task<Result<void>> write(std::span<const Bytes>, Instant) override { co_return Result<void>{}; }
  void end() override {}
  void close() override {}
  Endpoint peer() const override { return {IpAddress::v4(192, 0, 2, 2), 40000}; }
  Endpoint local() const override { return {IpAddress::v4(192, 0, 2, 1), 25}; }

 private:
  void next() {
    at_ = 0;
    if (!greeted_) {
      greeted_ = true;
      saying_ = "EHLO client.example\r\n";
    } else if (content_) {
      content_ = false;
      saying_ = message();
    } else if (number_ == end_) {
      saying_ = quitting_ ? "" : "QUIT\r\n";
      quitting_ = true;
    } else {
      content_ = true;
      saying_ = "MAIL FROM:<sender@client.example>\r\nRCPT TO:<u" + std::to_string(++number_ % accounts) +
                "@t.example>\r\nDATA\r\n";
    }
  }
  std::string message() const {
    const std::string number = std::to_string(number_), thread = std::to_string(number_ - number_ % 3);
    std::string text = "Received: from client.example (client.example [192.0.2.7])\r\n\tby mx.client.example with id ";
    text += number + ";\r\n\tMon, 2 Nov 2026 10:00:00 +0000\r\nFrom: \"Sender\" <sender@client.example>\r\n";
    text += "To: <u@t.example>\r\nSubject: A subject of some length, number " + number + "\r\n";
    text += "Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <" + number + "@client.example>\r\n";
    if (number_ % 3 != 0) text += "References: <" + thread + "@client.example>\r\n";
    text += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    while (text.size() < size_) text += "A line of text, and what is in it does not matter at all to anybody.\r\n";
    return text + ".\r\n";
  }

  std::string saying_;
  std::size_t at_ = 0;
  std::uint64_t number_, end_;
  std::size_t size_;
  bool greeted_ = false, content_ = false, quitting_ = false;
};

class Stage {
 public:
  Stage() {
    const std::filesystem::path base =
        std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
    folder_ = (base / "facteur-bench-XXXXXX").string();
    if (!::mkdtemp(folder_.data())) abort();
    auto disk = host::Disk::open_root(folder_);
    if (!disk) stop(disk.error());
    disk_ = std::move(*disk);
    store::EngineSizes sizes;
    sizes.ballast_bytes = 0;
    sizes.low_space_bytes = 1 << 20;
    auto opened = store::open(
        {.disk = *disk_, .shards = shards_, .clock = clock_, .random = random_, .scope = scope_, .sizes = sizes});
    if (!opened) stop(opened.error());
    engine_ = std::move(*opened);
    directory::Settings settings;
    settings.domains = {"t.example"};
    settings.postmaster = "u0@t.example";
    settings.cost = {8, 1, 1};
    directory_ = std::make_unique<directory::StoreDirectory>(*engine_, shards_, random_, settings);
    authenticator_ = std::make_unique<directory::StoreAuthenticator>(*directory_, shards_, clock_, random_, scope_,
                                                                     directory::AuthenticatorSettings{5min});
    mailboxes_ = mailbox::make_mailboxes(*engine_, shards_, clock_, random_, scope_, message::make_structure);
    queue_ = queue::make_queue(*engine_, shards_, clock_, random_, scope_);
    reception::Parameters parameters;
    parameters.hostname = parameters.routing.hostname = "mx.t.example";
    parameters.routing.postmaster = "u0@t.example";
    reception_ = reception::make_reception({*engine_, *mailboxes_, *directory_, *queue_, clock_}, parameters);
    service_ = make_smtp_service({*reception_, *authenticator_, clock_, random_}, config::Limits{}, config::Smtp{});
    for (std::size_t i = 0; i < accounts; ++i) {
      const auto id =
          get(directory_->add_account({"u" + std::to_string(i) + "@t.example", {"secret"}, "", std::nullopt, true}));
      get(mailboxes_->create_account(id));
    }
  }
  ~Stage() {
    shards_.run();
    service_ = nullptr;
    mailboxes_ = nullptr;
    shards_.drop_all();
    engine_ = nullptr;
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  // All conversations at once, each on one of two shards, to their ends.
  void take_in(std::size_t size) {
    TaskGroup group;
    for (std::size_t i = 0; i < conversations; ++i) {
      Connection connection{.stream = std::make_unique<Client>(next_, size),
                            .listener = {.protocol = ListenerParameters::Protocol::exchanger,
                                         .implicit_tls = false,
                                         .plaintext_login = false,
                                         .hostname = "mx.t.example"},
                            .tls = nullptr,
                            .secured = nullptr,
                            .scope = scope_,
                            .drain = nullptr};
      next_ += messages_each;
      shards_.on(i % 2, [&] { group.start(service_->serve(std::move(connection))); });
    }
    while (!group.empty() && shards_.step()) continue;
  }

 private:
  template <class T>
  T get(Task<Result<T>> task) {
    auto result = store::stage::finish(shards_, std::move(task), 0);
    if (!result) abort();
    if (!*result) stop(result->error());
    if constexpr (!std::is_void_v<T>) return std::move(**result);
  }

  std::string folder_;
  observe::NullSink sink_;
  observe::Scope scope_{sink_};
  sim::Random random_{1};
  store::stage::Shards shards_{1, 2};
  store::stage::Clock clock_{shards_};
  std::unique_ptr<host::Disk> disk_;
  std::unique_ptr<store::EmbeddedEngine> engine_;
  std::unique_ptr<directory::StoreDirectory> directory_;
  std::unique_ptr<directory::StoreAuthenticator> authenticator_;
  std::unique_ptr<mailbox::Mailboxes> mailboxes_;
  std::unique_ptr<queue::Queue> queue_;
  std::unique_ptr<reception::Reception> reception_;
  std::unique_ptr<Service> service_;
  std::uint64_t next_ = 0;
};

void accept_messages(benchmark::State& state) {
  static Stage stage;
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) stage.take_in(size);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(conversations * messages_each));
}
BENCHMARK(accept_messages)->Arg(10 << 10)->Arg(100 << 10)->Unit(benchmark::kMillisecond);

}  // namespace
