#include "holdings.hpp"

#include "directory/store_directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "queue/queue.hpp"

namespace facteur::simulation {

namespace {

std::string said(const Failure& why) { return std::string(why.code) + " " + why.text + " " + why.cause; }

Task<void> read_folder(mailbox::Mailboxes& mailboxes, const directory::Account& account, std::string folder,
                       Holdings& out) {
  auto found = co_await mailboxes.find(account.id, folder);
  if (!found) out.trouble.push_back(account.address + " " + folder + ": " + said(found.error()));
  if (!found || !*found) co_return;
  auto view = co_await mailboxes.view(account.id, (*found)->id);
  if (!view) {
    out.trouble.push_back(account.address + " " + folder + ": " + said(view.error()));
    co_return;
  }
  out.highest[account.address][folder] = (*view)->highest_modseq().value;
  for (std::size_t i = 0; i < (*view)->size(); ++i) {
    const auto row = (*view)->row(i);
    auto text = co_await mailboxes.text(account.id, row);
    if (!text) {
      out.trouble.push_back(account.address + " " + folder + ": " + said(text.error()));
      continue;
    }
    const auto whole = text->prefix + text->content.text();
    out.mailboxes[account.address].push_back({folder, (*view)->uidvalidity().value, row.uid.value, row.modseq.value,
                                              row.flags.has(mailbox::Flags::flagged), letter_of(whole),
                                              is_report(whole)});
  }
}

void read_queue(queue::Queue& queue, store::Engine& engine, Holdings& out) {
  const auto entries = queue.list();
  if (!entries) {
    out.trouble.push_back("queue: " + said(entries.error()));
    return;
  }
  for (const auto& entry : *entries) {
    const auto content = engine.content(entry.content);
    if (!content || !*content) {
      out.trouble.push_back("queue: " + queue::to_string(entry.id) + " has no content");
      continue;
    }
    const auto text = (*content)->text();
    for (const auto& recipient : entry.recipients) {
      if (recipient.status != queue::Recipient::Status::waiting) continue;
      out.queue.push_back({letter_of(text), is_report(text), recipient.address});
    }
  }
  for (const auto& corrupt : queue.quarantined()) {
    out.trouble.push_back("queue: " + queue::to_string(corrupt.id) + ": " + corrupt.why);
  }
}

}  // namespace

std::string letter_of(const std::string& text) {
  const std::string_view mark = "X-Letter: ";
  const auto at = text.find(mark);
  if (at == std::string::npos) return {};
  const auto end = text.find("\r\n", at);
  return text.substr(at + mark.size(), end - at - mark.size());
}

bool is_report(const std::string& text) { return text.find("multipart/report") != std::string::npos; }

Task<void> read_holdings(sim::Machine& machine, store::Engine& engine, observe::Sink& sink, Holdings& out) {
  for (const auto& corrupt : engine.quarantined()) out.trouble.push_back(corrupt.where + ": " + corrupt.why);
  // The queue first: a server may be at work, and what goes from there into a mailbox must not be missed.
  const auto queue = queue::make_queue(engine, machine.shards, machine.clock, machine.random, observe::Scope(sink));
  read_queue(*queue, engine, out);
  directory::StoreDirectory directory(engine, machine.shards, machine.random, {});
  auto mailboxes = mailbox::make_mailboxes(engine, machine.shards, machine.clock, machine.random, observe::Scope(sink));
  auto accounts = directory.accounts({});
  if (!accounts) {
    out.trouble.push_back("the directory: " + said(accounts.error()));
    co_return;
  }
  if (const auto aliases = directory.list_aliases()) {
    for (const auto& alias : *aliases) out.aliases.insert(alias.address);
  }
  for (const auto& account : *accounts) {
    out.mailboxes[account.address];
    co_await read_folder(*mailboxes, account, "INBOX", out);
    co_await read_folder(*mailboxes, account, "Archive", out);
  }
  co_await mailboxes->finished();
}

Holdings after_cut(sim::Disk::Image image, std::uint64_t seed) {
  Holdings out;
  sim::World world(seed);
  sim::Machine machine(world, {.shards = 2}, std::move(image));
  auto opened = store::open({.disk = machine.disk,
                             .shards = machine.shards,
                             .clock = machine.clock,
                             .random = machine.random,
                             .scope = observe::Scope(world.events),
                             .index = store::IndexKind::map,
                             .sizes = small_sizes()});
  if (!opened) {
    out.trouble.push_back("the store does not open: " + said(opened.error()));
    return out;
  }
  {
    TaskGroup group;
    machine.shards.run(0, [&] { group.start(read_holdings(machine, **opened, world.events, out)); });
    if (!world.run_until([&] { return group.empty(); }, 1h)) out.trouble.emplace_back("reading it hangs");
    machine.halt();
  }
  return out;
}

store::EngineSizes small_sizes() {
  store::EngineSizes sizes;
  sizes.segment_bytes = 128 << 10;
  sizes.flush_bytes = 128 << 10;
  sizes.snapshot_bytes = 64 << 10;
  sizes.snapshot_segments = 4;
  sizes.ballast_bytes = 256 << 10;
  sizes.low_space_bytes = 512 << 10;
  sizes.map_persist_one_in = 32;
  return sizes;
}

}  // namespace facteur::simulation
