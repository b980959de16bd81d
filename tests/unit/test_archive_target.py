"""CREATE TABLE of both servers, as a restore makes it under another name."""

from __future__ import annotations

from el.archive.target import without_foreign_keys

MYSQL = """CREATE TABLE `a``b
c` (
  `id` int NOT NULL COMMENT 'x\\n  CONSTRAINT `no` CHECK (1)',
  `p` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `k` (`p`) /*!80000 INVISIBLE */,
  CONSTRAINT `f,k
1` FOREIGN KEY (`p`) REFERENCES `o,
p` (`id`) ON DELETE CASCADE,
  CONSTRAINT `my``check` CHECK ((`p` < 10)) /*!80016 NOT ENFORCED */,
  CONSTRAINT `fk2` FOREIGN KEY (`p`) REFERENCES `q` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='ä\u2028ö'
/*!50100 PARTITION BY HASH (`id`)
PARTITIONS 3 */"""


def test_foreign_keys_go_and_checks_lose_their_names() -> None:
    assert (
        without_foreign_keys(MYSQL, "new`name")
        == """CREATE TABLE `new``name` (
  `id` int NOT NULL COMMENT 'x\\n  CONSTRAINT `no` CHECK (1)',
  `p` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `k` (`p`) /*!80000 INVISIBLE */,
  CHECK ((`p` < 10)) /*!80016 NOT ENFORCED */
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='ä\u2028ö'
/*!50100 PARTITION BY HASH (`id`)
PARTITIONS 3 */"""
    )


def test_what_has_neither_stays_as_it_is() -> None:
    text = "CREATE TABLE `t` (\n  `id` int(11) NOT NULL CHECK (`id` > 0),\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
    assert without_foreign_keys(text, "t") == text
