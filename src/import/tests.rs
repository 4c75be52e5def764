//! Short records of each format, as their programs write them.

use std::time::Duration;

use super::*;
use crate::model::Ending;
use crate::traffic::{FlowSurvey, LastSeen};

fn options(kind: Option<Kind>) -> Options {
    Options {
        kind,
        columns: Columns::default(),
        state: None,
        only: Vec::new(),
        limits: Limits::of("linux", &[]).unwrap(),
        budget: Budget::default(),
    }
}

fn read_as(text: impl AsRef<[u8]>, options: &Options) -> Result<Imported, ImportError> {
    let mut importer = Importer::new(options, &|| false);
    importer.read(text.as_ref())?;
    Ok(importer.finish().expect("something was read"))
}

#[track_caller]
fn read(text: impl AsRef<[u8]>) -> Imported {
    read_as(text, &options(None)).unwrap_or_else(|error| panic!("{error}"))
}

/// The flow to `destination` of the first source.
#[track_caller]
fn flow<'a>(record: &'a Imported, destination: &str) -> &'a FlowSurvey {
    let destination = destination.parse().unwrap();
    let all = &record.seen.sources[0].destinations;
    let found = all.iter().find(|(flow, _)| flow.destination == destination);
    &found.unwrap_or_else(|| panic!("no {destination} in {all:?}")).0
}

const ZEEK: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n\
    #path\tconn\n#open\t2026-11-24-10-00-00\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\t\
    resp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\n\
    #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\t\
    count\tstring\tcount\n\
    1795516930.250000\tCAcJw21BbVedgFnYH3\t10.0.0.1\t40001\t10.0.0.5\t443\ttcp\tssl\t0.250000\t517\t4096\tSF\t\
    T\tF\t0\tShADadFf\t9\n\
    1795516931.000000\tCAcJw21BbVedgFnYH4\t10.0.0.1\t40002\t10.0.0.5\t443\ttcp\tssl\t1.750000\t517\t4096\tSF\t\
    T\tF\t0\tShADadfF\t9\n\
    1795516932.500000\tCAcJw21BbVedgFnYH5\t10.0.0.1\t40003\t10.0.0.6\t443\ttcp\t-\t-\t-\t-\tS0\tT\tF\t0\tS\t1\n\
    1795516933.000000\tCAcJw21BbVedgFnYH6\t10.0.0.1\t5353\t224.0.0.251\t5353\tudp\tdns\t-\t-\t-\tS0\tT\tF\t0\t\
    D\t1\n\
    1795516934.000000\tCAcJw21BbVedgFnYH7\t10.0.0.5\t443\t10.0.0.1\t40009\ttcp\t-\t3.0\t-\t-\tOTH\tT\tF\t0\t\
    C\t0\n";

#[test]
fn zeek_tells_who_closed_and_what_was_never_answered() {
    let record = read(ZEEK);
    assert_eq!((record.kind, record.tally.rows, record.tally.used), (Kind::Zeek, 5, 3));
    assert_eq!(record.tally.bad, 0, "{:?}", record.tally.first_bad);
    assert_eq!(record.tally.left_out.values().sum::<u64>(), 2, "{:?}", record.tally.left_out);
    let seen = flow(&record, "10.0.0.5:443");
    assert_eq!((seen.opened, seen.ends.client, seen.ends.server), (2, 1, 1));
    assert_eq!(seen.lifetimes.mean(), Some(Duration::from_secs(1)));
    let silent = flow(&record, "10.0.0.6:443");
    assert_eq!((silent.ends.unanswered, silent.lifetimes.number()), (1, 0));
    assert_eq!(record.seen.first, 1_795_516_930_250_000);
    assert!(record.tally.missing.is_empty(), "{:?}", record.tally.missing);
}

#[test]
fn zeek_can_have_its_fields_in_any_order_and_another_separator() {
    let text = "#separator \\x7c\n#unset_field|~\n#path|conn\n\
        #fields|id.resp_p|id.resp_h|duration|ts|id.orig_h|id.orig_p\r\n\
        443|2001:db8::5|~|10.5|2001:db8::1|40000\r\n443|2001:db8::5|2.5|11|2001:db8::1|40001";
    let record = read(text);
    let seen = flow(&record, "[2001:db8::5]:443");
    assert_eq!((seen.opened, seen.lifetimes.number(), seen.ends.unknown), (2, 1, 2));
    assert_eq!(record.tally.missing.len(), 3, "{:?}", record.tally.missing);
}

#[test]
fn zeek_writes_json_too() {
    let row = |more: &str| {
        format!(
            "{{\"ts\":{more},\"uid\":\"C1\",\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":40001,\
             \"id.resp_h\":\"10.0.0.5\",\"id.resp_p\":443,\"proto\":\"tcp\"}}\n"
        )
    };
    let text = [
        row("1795516930.25,\"duration\":0.25,\"conn_state\":\"SF\",\"history\":\"ShADadFf\""),
        row("\"2026-11-24T10:42:10.250000Z\",\"duration\":0.25,\"conn_state\":\"S1\""),
        "{\"ts\":1795516930.25,\"id.orig_h\":\"10.0.0.1\"}\n{\"ts\":17955".to_owned(),
    ]
    .concat();
    let record = read(text);
    assert_eq!((record.tally.used, record.tally.bad), (2, 2));
    assert!(record.tally.first_bad[0].why.contains("no `id.orig_p`"), "{:?}", record.tally);
    assert!(record.tally.first_bad[1].why.contains("cut off"), "{:?}", record.tally);
    let seen = flow(&record, "10.0.0.5:443");
    assert_eq!((seen.ends.client, seen.lifetimes.still_open()), (1, 1));
    assert_eq!(
        (record.seen.first, record.seen.last),
        (1_795_516_930_250_000, 1_795_516_930_500_000)
    );
}

#[test]
fn another_log_of_zeek_is_refused_and_told() {
    let text = "#separator \\x09\n#path\thttp\n#fields\tts\tuid\n1\tC\n";
    let told = read_as(text, &options(None)).unwrap_err().to_string();
    assert!(told.contains("http.log"), "{told}");
    let text = "#separator \\x09\n#path\tconn\n#fields\tts\tuid\n1\tC\n";
    let told = read_as(text, &options(None)).unwrap_err().to_string();
    assert!(told.contains("no `id.orig_h`"), "{told}");
}

/// A client's connection over two windows, both directions; one that was refused; one without answer.
const VPC: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start \
    end action log-status tcp-flags\n\
    5 123456789010 eni-1 10.0.0.1 10.0.0.5 40001 443 6 20 4249 1795516800 1795516860 ACCEPT OK 2\n\
    5 123456789010 eni-1 10.0.0.5 10.0.0.1 443 40001 6 20 4249 1795516800 1795516860 ACCEPT OK 18\n\
    5 123456789010 eni-1 10.0.0.5 10.0.0.1 443 40001 6 10 4249 1795516861 1795516900 ACCEPT OK 1\n\
    5 123456789010 eni-1 10.0.0.1 10.0.0.5 40001 443 6 10 4249 1795516861 1795516901 ACCEPT OK 1\n\
    5 123456789010 eni-1 10.0.0.1 10.0.0.6 40002 443 6 1 40 1795516810 1795516812 REJECT OK 2\n\
    5 123456789010 eni-1 10.0.0.1 10.0.0.7 40003 443 6 3 120 1795516810 1795516817 ACCEPT OK 2\n\
    5 123456789010 eni-1 10.0.0.1 10.0.0.2 53211 53 17 1 80 1795516810 1795516811 ACCEPT OK 0\n\
    5 123456789010 eni-1 - - - - - - - 1795516810 1795516870 - NODATA -\n\
    5 123456789010 eni-1 10.0.0.1 10.0.0.5 40001 443 6 9 900 1795516950 1795516960 ACCEPT OK 3\n";

#[test]
fn vpc_records_of_both_directions_and_several_windows_are_one_connection() {
    let record = read(VPC);
    assert_eq!((record.kind, record.tally.rows, record.tally.bad), (Kind::Vpc, 9, 0));
    assert_eq!(record.tally.used, 4, "{:?}", record.tally);
    let seen = flow(&record, "10.0.0.5:443");
    // The second of them begins with a SYN of its own.
    assert_eq!((seen.opened, seen.ends.unknown), (2, 2));
    assert_eq!(seen.lifetimes.quantile(1.0), Some(Duration::from_secs(101)));
    assert_eq!(flow(&record, "10.0.0.6:443").ends.unanswered, 1);
    assert_eq!(flow(&record, "10.0.0.7:443").ends.unanswered, 1);
}

#[test]
fn vpc_has_a_default_format_without_a_header() {
    let text = "2 123456789010 eni-1235b8ca 10.0.0.5 10.0.0.1 443 40001 6 20 4249 1418530010 1418530070 ACCEPT OK\n\
        2 123456789010 eni-1235b8ca 10.0.0.1 10.0.0.5 40001 443 6 20 4249 1418530010 1418530075 ACCEPT OK\n\
        2 123456789010 eni-1235b8ca - - - - - - - 1431280876 1431280934 - SKIPDATA\n\
        2 123456789010 eni-1235b8ca 10.0.0.1\n";
    let record = read(text);
    assert_eq!((record.tally.used, record.tally.bad), (1, 1), "{:?}", record.tally);
    let seen = flow(&record, "10.0.0.5:443");
    assert_eq!((seen.opened, seen.ends.unknown), (1, 1));
    assert_eq!(seen.lifetimes.mean(), Some(Duration::from_secs(65)));
    let told = record.tally.missing.join(" ");
    assert!(told.contains("no field `tcp-flags`"), "{told}");
}

const SS: &str = "State      Recv-Q Send-Q     Local Address:Port      Peer Address:Port Process\n\
    LISTEN     0      4096             0.0.0.0:22             0.0.0.0:*\n\
    LISTEN     0      4096                   *:50000                *:*\n\
    ESTAB      0      0               10.0.0.1:40001         10.0.0.5:443   users:((\"curl\",pid=7,fd=5))\n\
    ESTAB      0      0      [::ffff:10.0.0.1]:40002  [::ffff:10.0.0.5]:443\n\
    ESTAB      0      0               10.0.0.1:22            10.0.0.9:51000\n\
    ESTAB      0      0               10.0.0.1:50000         10.0.0.9:51001\n\
    TIME-WAIT  0      0               10.0.0.1:40003         10.0.0.5:443   timer:(timewait,46sec,0)\n\
    TIME-WAIT  0      0               10.0.0.1:40004         10.0.0.5:443   timer:(timewait,1.200ms,0)\n\
    TIME-WAIT  0      0               10.0.0.1:40005         10.0.0.5:443   timer:(timewait,59sec,0)\n\
    SYN-SENT   0      1               10.0.0.1:40006         10.0.0.6:443   timer:(on,850ms,3)\n\
    CLOSE-WAIT 1      0               10.0.0.1:40007         10.0.0.7:80\n\
    ESTAB      0      0               web:https              10.0.0.7:80\n";

#[test]
fn ss_tells_rates_from_time_waits() {
    let record = read(SS);
    assert_eq!((record.kind, record.tally.rows, record.tally.bad), (Kind::Ss, 12, 1));
    let source = &record.seen.sources[0];
    assert_eq!(source.tightest().ports, 5);
    assert_eq!(source.peak.ports, 7, "what others opened to 22 and 50000 does not count");
    let seen = flow(&record, "10.0.0.5:443");
    assert_eq!((seen.opened, seen.ends.client, seen.standing), (3, 3, 0));
    // Two open, three in 61.024 s: Little.
    let mean = seen.lifetimes.mean().unwrap().as_secs_f64();
    assert!((mean - 61.024 * 2.0 / 3.0).abs() < 1e-6, "{mean}");
    assert_eq!(flow(&record, "10.0.0.7:80").standing, 1);
}

#[test]
fn ss_timers_below_ten_seconds_are_seconds_and_milliseconds() {
    // 150 TIME-WAITs of which the oldest has 3.5 s left: they came for 57.524 s, not for 61.
    let text: String = (0..150_u64)
        .map(|number| {
            let left = if number == 0 { "3.500ms" } else { "46sec" };
            let port = 40_000 + number;
            format!("TIME-WAIT 0 0 10.0.0.1:{port} 10.0.0.5:443 timer:(timewait,{left},0)\n")
        })
        .collect();
    let seconds = read(text).seen.seconds;
    assert!((seconds - 57.524).abs() < 1e-6, "{seconds}");
}

const CONNTRACK: &str = "tcp      6 431999 ESTABLISHED src=192.168.0.7 dst=93.184.216.34 sport=50123 dport=443 \
    src=93.184.216.34 dst=203.0.113.9 sport=443 dport=40001 [ASSURED] mark=0 use=1\n\
    tcp      6 87 TIME_WAIT src=192.168.0.8 dst=93.184.216.34 sport=50124 dport=443 src=93.184.216.34 \
    dst=203.0.113.9 sport=443 dport=40002 [ASSURED] mark=0 use=1\n\
    tcp      6 110 SYN_SENT src=192.168.0.8 dst=10.9.9.9 sport=50125 dport=443 [UNREPLIED] src=10.9.9.9 \
    dst=203.0.113.9 sport=443 dport=40003 mark=0 use=1\n\
    udp      17 25 src=192.168.0.8 dst=9.9.9.9 sport=5000 dport=53 src=9.9.9.9 dst=203.0.113.9 sport=53 \
    dport=5000 mark=0 use=1\n\
    tcp      6 9 CLOSE src=192.168.0.8 dst=9.9.9.9 sport=5000 dport=53 src=9.9.9.9 dst=203.0.113.9 sport=53 \
    dport=5000 mark=0 use=1\n\
    ipv4     2 tcp      6 431000 ESTABLISHED src=192.168.0.7 dst=192.168.0.1 sport=51000 dport=22 \
    src=192.168.0.1 dst=192.168.0.7 sport=22 dport=51000 [ASSURED] mark=0 zone=0 use=2\n\
    conntrack v1.4.6 (conntrack-tools): 6 flow entries have been shown.\n";

#[test]
fn conntrack_tells_the_ports_of_a_nat() {
    let record = read(CONNTRACK);
    assert_eq!((record.kind, record.tally.rows, record.tally.bad), (Kind::Conntrack, 6, 0));
    assert_eq!(record.tally.left_out.len(), 2, "{:?}", record.tally.left_out);
    let nat = &record.seen.sources[0];
    assert_eq!(nat.address.to_string(), "203.0.113.9");
    assert_eq!((nat.tightest().ports, nat.peak.ports), (2, 3));
    let seen = flow(&record, "93.184.216.34:443");
    assert_eq!((seen.opened, seen.ends.unknown), (1, 1));
    assert_eq!(seen.lifetimes.mean(), Some(Duration::from_secs(120)));
    assert_eq!(record.seen.sources[1].address.to_string(), "192.168.0.7");
}

#[test]
fn conntrack_entries_that_are_offloaded_are_open() {
    let entry = |from: u16, seconds: &str, mark: &str| {
        format!(
            "tcp      6 {seconds}src=192.168.0.7 dst=10.0.0.5 sport={from} dport=443 src=10.0.0.5 \
             dst=203.0.113.9 sport=443 dport={from} [ASSURED] {mark} mark=0 use=2\n"
        )
    };
    let text = [
        entry(40_001, "", "[OFFLOAD]"),
        "ipv4     2 ".to_owned() + &entry(40_002, "", "[HW_OFFLOAD]"),
        entry(40_003, "431999 ESTABLISHED ", "[OFFLOAD]"),
        entry(40_004, "", ""),
    ]
    .concat();
    let record = read(text);
    assert_eq!((record.kind, record.tally.rows, record.tally.bad), (Kind::Conntrack, 4, 1));
    assert_eq!(flow(&record, "10.0.0.5:443").standing, 3);
    assert_eq!(record.tally.first_bad[0].why, "no seconds that the entry has left");
}

/// One look, three times over; a connection in three zones.
#[test]
fn what_is_told_twice_counts_once() {
    let look = SS.lines().take(7).collect::<Vec<&str>>().join("\n") + "\n";
    let record = read(look.repeat(3));
    let once = read(&look);
    assert_eq!(record.seen.sources[0].peak.ports, once.seen.sources[0].peak.ports);
    assert_eq!(record.tally.used, once.tally.used);
    assert!(record.tally.missing[0].contains("several looks"), "{:?}", record.tally.missing);
    let entry = "tcp      6 299 ESTABLISHED src=192.0.2.10 dst=198.51.100.7 sport=40001 dport=80 \
                 src=198.51.100.7 dst=192.0.2.10 sport=80 dport=40001 [ASSURED] mark=1 ";
    let zones = read(
        ["zone=4 use=1\n", "zone=5 use=1\n", "use=1\n"].map(|end| format!("{entry}{end}")).concat(),
    );
    assert_eq!((zones.tally.used, zones.seen.sources[0].peak.ports), (1, 1));
}

#[test]
fn events_of_conntrack_are_no_look() {
    let event = "    [NEW] tcp      6 120 SYN_SENT src=192.0.2.10 dst=198.51.100.7 sport=40001 dport=443 \
                 [UNREPLIED] src=198.51.100.7 dst=192.0.2.10 sport=443 dport=40001\n";
    let error = read_as(event, &options(None)).unwrap_err().to_string();
    assert!(error.contains("conntrack -L -p tcp | portsim import -"), "{error}");
}

#[test]
fn netstat_is_read_as_each_system_writes_it() {
    for text in [
        "Active Internet connections (servers and established)\n\
         Proto Recv-Q Send-Q Local Address           Foreign Address         State      \n\
         tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN     \n\
         tcp        0      0 192.0.2.10:40001        198.51.100.7:443        TIME_WAIT  \n\
         tcp6       0      0 192.0.2.10:40002        198.51.100.7:443        ESTABLISHED\n\
         udp        0      0 0.0.0.0:68              0.0.0.0:*                          \n\
         Active UNIX domain sockets (servers and established)\n\
         Proto RefCnt Flags       Type       State         I-Node   Path\n\
         unix  2      [ ]         DGRAM                    12345    /run/x\n",
        "Active Internet connections (including servers)\n\
         Proto Recv-Q Send-Q Local Address          Foreign Address        (state)    \n\
         tcp46      0      0  *.22                   *.*                    LISTEN     \n\
         tcp4       0      0  192.0.2.10.40001       198.51.100.7.443       TIME_WAIT  \n\
         tcp4       0      0  192.0.2.10.40002       198.51.100.7.443       ESTABLISHED\n\
         udp4       0      0  *.68                   *.*                               \n\
         Active LOCAL (UNIX) domain sockets\n\
         Address          Type   Recv-Q Send-Q            Inode\n\
         deadbeef stream      0      0                0\n",
        "\r\nActive Connections\r\n\r\n\
         \x20 Proto  Local Address          Foreign Address        State           PID\r\n\
         \x20 TCP    0.0.0.0:22             0.0.0.0:0              LISTENING       4\r\n\
         \x20 TCP    192.0.2.10:40001       198.51.100.7:443       TIME_WAIT       0\r\n\
         \x20 TCP    192.0.2.10:40002       198.51.100.7:443       ESTABLISHED     812\r\n\
         \x20 UDP    0.0.0.0:68             *:*                                    900\r\n",
    ] {
        let record = read(text);
        assert_eq!(
            (record.kind, record.tally.used, record.tally.bad),
            (Kind::Netstat, 2, 0),
            "{text}"
        );
        let seen = flow(&record, "198.51.100.7:443");
        assert_eq!(
            (seen.ends.client, seen.lifetimes.mean()),
            (1, Some(Duration::from_nanos(61_024_000_000))),
            "{text}"
        );
    }
}

#[test]
fn rows_of_ss_without_a_state_have_that_which_is_said() {
    let text = "Recv-Q Send-Q Local Address:Port   Peer Address:Port Process\n\
                0      0      192.0.2.10:40001     198.51.100.7:443\n\
                0      0      192.0.2.10:40002     198.51.100.7:443\n";
    let error = read_as(text, &options(None)).unwrap_err().to_string();
    assert!(error.contains("--state time-wait"), "{error}");
    let said = Options { state: Some(TcpState::TimeWait), ..options(None) };
    let record = read_as(text, &said).unwrap();
    assert_eq!(flow(&record, "198.51.100.7:443").ends.client, 2);
    // Without a heading, as `ss -H` prints them.
    let bare = text.split_once('\n').unwrap().1;
    assert_eq!(read_as(bare, &said).unwrap().tally.used, 2);
}

#[test]
fn names_instead_of_numbers_are_answered_with_what_prints_numbers() {
    let text = "State      Recv-Q Send-Q   Local Address:Port        Peer Address:Port\n\
                LISTEN     0      128            0.0.0.0:ssh              0.0.0.0:*\n\
                TIME-WAIT  0      0            192.0.2.10:46422       198.51.100.7:https\n";
    let record = read(text);
    assert_eq!(record.tally.bad, 2);
    assert!(record.tally.first_bad.iter().all(|bad| bad.why.ends_with("in numbers (ss -n)")));
}

#[test]
fn flow_logs_are_read_as_cloudwatch_and_athena_export_them() {
    let (there, back) = (
        "2 123456789012 eni-0a1b2c3d 192.0.2.10 198.51.100.7 40001 443 6 20 4249 1468862800 1468862823 ACCEPT OK",
        "2 123456789012 eni-0a1b2c3d 198.51.100.7 192.0.2.10 443 40001 6 18 4249 1468862800 1468862823 ACCEPT OK",
    );
    let time = "2026-07-18T17:27:03.000Z";
    let commas = |line: &str| line.replace(' ', ",");
    let quoted = |line: &str| format!("\"{}\"", line.replace(' ', "\",\""));
    let names = "version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end \
                 action log_status";
    let old_names = "version account interfaceid sourceaddress destinationaddress sourceport destinationport \
                     protocol numpackets numbytes starttime endtime action logstatus";
    for text in [
        format!("{time} {there}\n{time} {back}\n"),
        format!("timestamp,message\n1468862823000,{there}\n1468862823000,{back}\n"),
        format!("{}\n{}\n{}\n", quoted(names), quoted(there), quoted(back)),
        format!("{}\n{}\n{}\n", commas(old_names), commas(there), commas(back)),
    ] {
        let record = read(&text);
        assert_eq!(
            (record.kind, record.tally.rows, record.tally.used),
            (Kind::Vpc, 2, 1),
            "{text}"
        );
    }
}

#[test]
fn a_log_of_zeek_whose_tabs_became_spaces_is_read() {
    let spaces = ZEEK.replace('\t', " ");
    let (spaced, tabbed) = (read(spaces), read(ZEEK));
    assert_eq!((spaced.tally.used, spaced.tally.bad), (tabbed.tally.used, 0));
    assert!(spaced.tally.missing[0].starts_with("Its tabs have become spaces"));
}

#[test]
fn csv_is_read_by_its_header() {
    let text = "start;duration;source;source_port;destination;destination_port;end\n\
        2026-11-24T10:42:10Z;250 ms;10.0.0.1;40001;10.0.0.5;443;client\n\
        1795516931;0.75;10.0.0.1;40002;\"10.0.0.5\";443;Server\n\
        1795516932;-1;10.0.0.1;40002;10.0.0.5;443;client\n\
        1795516932;1;10.0.0.1;40002;10.0.0.5;70000;client\n\
        1795516932;1;10.0.0.1;0;10.0.0.5;443;client\n\
        1795516932;1;10.0.0.1;40002;10.0.0.5;443;suddenly\n";
    let record = read(text);
    assert_eq!((record.kind, record.tally.used, record.tally.bad), (Kind::Csv, 2, 4));
    let why: Vec<&str> = record.tally.first_bad.iter().map(|bad| bad.why.as_str()).collect();
    let meant = [
        "a negative duration",
        "70000 is not a port",
        "port 0 is none",
        "`suddenly` is not a way to end",
    ];
    assert_eq!(why, meant);
    let seen = flow(&record, "10.0.0.5:443");
    assert_eq!((seen.ends.client, seen.ends.server), (1, 1));
    assert_eq!(seen.lifetimes.mean(), Some(Duration::from_millis(500)));
}

#[test]
fn csv_ports_can_be_in_either_column_or_not_be_told() {
    let text = "ts,src,sport,dst,dport,end\n\
        1,10.0.0.1:40001,,10.0.0.5:443,,client\n\
        2,10.0.0.1,40002,10.0.0.5,443,client\n\
        3,10.0.0.1,,10.0.0.5,443,client\n\
        4,10.0.0.1,-,[::ffff:10.0.0.5]:443,-,client\n\
        5,10.0.0.1,,10.0.0.5,,client\n\
        6,10.0.0.1:80,,10.0.0.5,443,client\n";
    let record = read(text);
    assert_eq!((record.tally.used, record.tally.bad), (5, 1), "{:?}", record.tally);
    assert_eq!(record.tally.first_bad[0].why, "no port of the destination");
    assert_eq!(flow(&record, "10.0.0.5:443").opened, 5);
    assert_eq!(record.seen.sources[0].outside, 1, "a port that is not told is not outside");
}

#[test]
fn csv_columns_can_be_named() {
    let columns = "start=begun:ms,stop=done:ms,source=from,destination=to".parse().unwrap();
    let options = Options { columns, ..options(None) };
    let record = read_as("from,to,begun,done\n10.0.0.1:40001,10.0.0.5:443,1000,3500\n", &options);
    let record = record.unwrap();
    assert_eq!(record.seen.first, 1_000_000);
    let mean = flow(&record, "10.0.0.5:443").lifetimes.mean();
    assert_eq!(mean, Some(Duration::from_millis(2_500)));
    assert_eq!(record.tally.missing.len(), 2, "{:?}", record.tally.missing);
}

#[test]
fn a_verdict_says_how_much_it_does_not_cover() {
    let rows = (0..5_000).map(|row| {
        let source = row % 500;
        format!("{row},10.1.{}.{},10.0.0.5:443,1\n", source / 250, source % 250 + 1)
    });
    let text = "ts,src,dst,duration\n".to_owned() + &rows.collect::<String>();
    let budget = Budget { changes: 1 << 20, flows: 64 };
    let few = Findings::new(&read_as(&text, &Options { budget, ..options(None) }).unwrap(), &[]);
    assert_eq!((few.all_sources, few.all_sources_at_least), (500, false));
    assert!(few.connections_of_other_sources > 2_500, "{}", few.connections_of_other_sources);
    assert!(few.sentence.contains("% of all connections are in no peak"), "{}", few.sentence);
    let all = Findings::new(&read(&text), &[]);
    assert_eq!((all.all_sources, all.connections_of_other_sources), (500, 0));
    assert!(!all.sentence.contains("in no peak"), "{}", all.sentence);
}

#[test]
fn only_the_sources_that_were_asked_for_count() {
    let options = Options { only: vec!["10.0.0.9".parse().unwrap()], ..options(None) };
    let record = read_as(ZEEK, &options).unwrap();
    assert!(record.seen.sources.is_empty());
    assert_eq!(record.tally.left_out["from other source addresses"], 3);
}

#[test]
fn records_of_one_kind_are_read_as_one() {
    let options = options(None);
    let mut importer = Importer::new(&options, &|| false);
    importer.read(ZEEK.as_bytes()).unwrap();
    importer.read(ZEEK.as_bytes()).unwrap();
    let told = importer.read(SS.as_bytes()).unwrap_err().to_string();
    assert!(told.contains("one by one"), "{told}");
    let record = importer.finish().unwrap();
    assert_eq!(record.tally.used, 6);
}

#[test]
fn what_cannot_be_a_record_is_told() {
    for (bytes, told) in [
        (&b""[..], "empty"),
        (b"\n\n  \n", "empty"),
        (b"\x1f\x8b\x08\x00\x00", "zcat FILE | portsim import -"),
        (b"Dear sir, or madam\n", "not recognised"),
        (b"\0\0\0\0\x1b[31m", "not recognised"),
    ] {
        let error = read_as(bytes, &options(None)).unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains('\u{1b}'), "{error}");
    }
}

#[test]
fn reading_can_be_stopped() {
    let text = format!("{ZEEK}{}", "#\n".repeat(10_000));
    let options = options(None);
    let mut importer = Importer::new(&options, &|| true);
    assert!(!importer.read(text.as_bytes()).unwrap());
    let record = importer.finish().unwrap();
    assert!(record.partial);
    assert_eq!(record.tally.used, 3);
}

mod nonsense {
    use proptest::prelude::*;

    use super::*;

    const SAMPLES: [(&str, Kind); 4] =
        [(ZEEK, Kind::Zeek), (VPC, Kind::Vpc), (SS, Kind::Ss), (CONNTRACK, Kind::Conntrack)];

    proptest! {
        /// Whatever the bytes, and whatever they are taken for: never a panic.
        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            kind in 0_usize..5,
        ) {
            let _ = read_as(&bytes, &options(Some(Kind::ALL[kind])));
        }

        /// A record with some bytes replaced: every row is used, left out or bad.
        #[test]
        fn damaged_records_are_read_as_far_as_they_go(
            sample in 0_usize..4,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        ) {
            let (text, kind) = SAMPLES[sample];
            let mut bytes = text.as_bytes().to_vec();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(record) = read_as(&bytes, &options(Some(kind))) {
                let tally = &record.tally;
                let told = tally.bad + tally.left_out.values().sum::<u64>() + tally.used;
                prop_assert!(kind == Kind::Vpc || told == tally.rows, "{tally:?}");
                prop_assert!(told <= tally.rows, "{tally:?}");
            }
        }
    }
}

/// Attempts of known law: rates, lifetimes, ends and the peak come out again.
#[test]
fn what_was_recorded_comes_out_again() {
    let mut text =
        String::from("start,duration,source,source_port,destination,destination_port,end\n");
    let mut holds = Vec::new();
    let limits = Limits::of("linux", &[]).unwrap();
    for number in 0..20_000_u64 {
        // 50 a second; lifetimes 10 ms to 1.999 s in an order without pattern.
        let (start, millis) = (number * 20, 10 + number * 7_919 % 1_990);
        let end = if number % 4 == 3 { "server" } else { "client" };
        text.push_str(&format!(
            "{}.{:03},{}.{:03},10.0.0.1,{},10.0.0.5,443,{end}\n",
            start / 1_000,
            start % 1_000,
            millis / 1_000,
            millis % 1_000,
            32_768 + number % 28_232
        ));
        let released = crate::traffic::Connection {
            start: start as i64 * 1_000,
            duration: Some(Duration::from_millis(millis)),
            source: "10.0.0.1:1".parse().unwrap(),
            destination: "10.0.0.5:443".parse().unwrap(),
            seen: LastSeen::Ended(if end == "server" { Ending::Server } else { Ending::Client }),
        };
        holds.push((released.start, limits.released(&released)));
    }
    let record = read(text);
    let seen = flow(&record, "10.0.0.5:443");
    assert_eq!((seen.ends.client, seen.ends.server), (15_000, 5_000));
    assert!((seen.opened as f64 / record.seen.seconds - 50.0).abs() < 0.05);
    let mean = seen.lifetimes.mean().unwrap().as_secs_f64();
    let truth = (0..20_000_u64).map(|n| (10 + n * 7_919 % 1_990) as f64).sum::<f64>() / 2e7;
    assert!((mean - truth).abs() < 1e-9, "{mean} {truth}");
    let median = seen.lifetimes.quantile(0.5).unwrap().as_secs_f64();
    assert!((median - truth).abs() < 0.01, "{median}");
    let most = holds
        .iter()
        .map(|(at, _)| holds.iter().filter(|(from, to)| from <= at && at <= to).count() as u64)
        .max();
    let peak = record.seen.sources[0].tightest();
    assert_eq!((Some(peak.ports), peak.at_least), (most, peak.ports), "exact to the port");
}
